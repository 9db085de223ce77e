import { dirname, isAbsolute, resolve } from "node:path";
import { parseDocument } from "yaml";
import { CredentialsError } from "./credentials-error.ts";

/** A kubeconfig's parts by name; paths in it are already absolute. */
export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, KubeconfigContext>;
  readonly clusters: ReadonlyMap<string, KubeconfigCluster>;
  readonly users: ReadonlyMap<string, KubeconfigUser>;
}

export interface KubeconfigContext {
  cluster: string;
  user: string;
  namespace?: string;
}

export interface KubeconfigCluster {
  server: string;
  certificateAuthorityFile?: string;
  /** Base64 of PEM, as everything called `…Data`. */
  certificateAuthorityData?: string;
  tlsServerName?: string;
  insecureSkipTlsVerify?: boolean;
  proxyUrl?: string;
  /** The cluster's `client.authentication.k8s.io/exec` extension, handed to exec plugins. */
  execConfig?: unknown;
}

export interface KubeconfigUser {
  clientCertificateFile?: string;
  clientCertificateData?: string;
  clientKeyFile?: string;
  clientKeyData?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  impersonate?: {
    user: string;
    groups: readonly string[];
    uid?: string;
    extra: Readonly<Record<string, readonly string[]>>;
  };
  exec?: ExecPlugin;
  authProvider?: string;
}

/** `users[].user.exec`: a command that prints an ExecCredential (KEP-541). */
export interface ExecPlugin {
  apiVersion: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  installHint?: string;
  provideClusterInfo: boolean;
  interactiveMode: "Never" | "IfAvailable" | "Always";
}

/**
 * Reads one kubeconfig file's text.
 * @param path where it was read from: relative paths in it are relative to its folder.
 * @throws CredentialsError `MalformedKubeconfig` and nothing else, whatever the text is
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  const root = record(parseYaml(text, path), path, "the file");
  const reader = new Reader(path);
  return {
    currentContext: reader.text(root, "current-context"),
    contexts: reader.named(root, "contexts", "context", (fields) => reader.context(fields)),
    clusters: reader.named(root, "clusters", "cluster", (fields) => reader.cluster(fields)),
    users: reader.named(root, "users", "user", (fields) => reader.user(fields)),
  };
}

/** Merges files as kubectl does: for each name, and for the current context, the first file that has it wins. */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  const first = <V>(pick: (config: Kubeconfig) => ReadonlyMap<string, V>): ReadonlyMap<string, V> =>
    new Map([...configs].reverse().flatMap((config) => [...pick(config)]));
  return {
    currentContext: configs.find((config) => config.currentContext !== undefined)?.currentContext,
    contexts: first((config) => config.contexts),
    clusters: first((config) => config.clusters),
    users: first((config) => config.users),
  };
}

/** A context with what it points to. */
export interface SelectedContext {
  name: string;
  namespace?: string;
  cluster: KubeconfigCluster;
  user: KubeconfigUser;
}

/**
 * Looks up a context, the current one by default.
 * @throws CredentialsError `ContextMissing`, `ClusterMissing`, `UserMissing`
 */
export function selectContext(
  config: Kubeconfig,
  wanted: string | undefined,
  source: string,
): SelectedContext {
  const name = wanted ?? config.currentContext;
  const known = [...config.contexts.keys()];
  const choices = known.length === 0 ? "the file has no contexts" : `it has ${listed(known)}`;
  if (name === undefined) {
    throw new CredentialsError(
      "ContextMissing",
      `${source}: no current-context is set`,
      `choose one (${choices})`,
    );
  }
  const context = config.contexts.get(name);
  if (context === undefined) {
    throw new CredentialsError(
      "ContextMissing",
      `${source}: there is no context "${name}"`,
      `choose another (${choices})`,
    );
  }
  const cluster = config.clusters.get(context.cluster);
  if (cluster === undefined) {
    throw new CredentialsError(
      "ClusterMissing",
      `${source}: context "${name}" names cluster "${context.cluster}", which is not there`,
      "add the cluster or correct the context",
    );
  }
  const user = config.users.get(context.user);
  if (user === undefined && context.user !== "") {
    throw new CredentialsError(
      "UserMissing",
      `${source}: context "${name}" names user "${context.user}", which is not there`,
      "add the user or correct the context",
    );
  }
  return {
    name,
    cluster,
    user: user ?? {},
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
  };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  return names.length > shown.length
    ? `${shown.join(", ")} and ${names.length - shown.length} more`
    : shown.join(", ");
}

type Fields = Readonly<Record<string, unknown>>;

function parseYaml(text: string, path: string): unknown {
  let problem: unknown;
  try {
    const document = parseDocument(text, { prettyErrors: true, logLevel: "silent" });
    problem = document.errors[0];
    if (problem === undefined) return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    problem = error; // too many aliases, for one
  }
  const why = (problem instanceof Error ? problem.message : String(problem)).split("\n")[0] ?? "";
  throw new CredentialsError(
    "MalformedKubeconfig",
    `${path} is not YAML: ${why}`,
    "correct the file",
    problem,
  );
}

function malformed(path: string, what: string): CredentialsError {
  return new CredentialsError("MalformedKubeconfig", `${path}: ${what}`, "correct the file");
}

function record(value: unknown, path: string, where: string): Fields {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw malformed(path, `${where} must be a mapping`);
  return value as Fields;
}

/** Typed access to one file's fields, so that every complaint says where. */
class Reader {
  readonly #path: string;
  readonly #folder: string;

  constructor(path: string) {
    this.#path = path;
    this.#folder = dirname(path);
  }

  text(fields: Fields, name: string): string | undefined {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw malformed(this.#path, `${name} must be a string`);
  }

  named<V>(root: Fields, list: string, item: string, read: (fields: Fields) => V): Map<string, V> {
    const result = new Map<string, V>();
    for (const entry of this.#list(root, list)) {
      const fields = record(entry, this.#path, `an entry of ${list}`);
      const name = this.text(fields, "name");
      if (name === undefined) throw malformed(this.#path, `an entry of ${list} has no name`);
      if (!result.has(name)) result.set(name, read(record(fields[item], this.#path, `${list} "${name}"`)));
    }
    return result;
  }

  context(fields: Fields): KubeconfigContext {
    return {
      cluster: this.text(fields, "cluster") ?? "",
      user: this.text(fields, "user") ?? "",
      ...present("namespace", this.text(fields, "namespace")),
    };
  }

  cluster(fields: Fields): KubeconfigCluster {
    const execExtension = this.#list(fields, "extensions")
      .map((extension) => record(extension, this.#path, "an extension"))
      .find((extension) => extension.name === "client.authentication.k8s.io/exec");
    return {
      server: this.text(fields, "server") ?? "",
      ...present("certificateAuthorityFile", this.#file(fields, "certificate-authority")),
      ...present("certificateAuthorityData", this.text(fields, "certificate-authority-data")),
      ...present("tlsServerName", this.text(fields, "tls-server-name")),
      ...present("proxyUrl", this.text(fields, "proxy-url")),
      ...(fields["insecure-skip-tls-verify"] === true ? { insecureSkipTlsVerify: true } : {}),
      ...present("execConfig", execExtension?.extension),
    };
  }

  user(fields: Fields): KubeconfigUser {
    const authProvider = record(fields["auth-provider"], this.#path, "auth-provider");
    return {
      ...present("clientCertificateFile", this.#file(fields, "client-certificate")),
      ...present("clientCertificateData", this.text(fields, "client-certificate-data")),
      ...present("clientKeyFile", this.#file(fields, "client-key")),
      ...present("clientKeyData", this.text(fields, "client-key-data")),
      ...present("token", this.text(fields, "token")),
      ...present("tokenFile", this.#file(fields, "tokenFile")),
      ...present("username", this.text(fields, "username")),
      ...present("password", this.text(fields, "password")),
      ...present("impersonate", this.#impersonation(fields)),
      ...present("authProvider", this.text(authProvider, "name")),
      ...present(
        "exec",
        fields.exec === undefined || fields.exec === null ? undefined : this.#exec(fields.exec),
      ),
    };
  }

  #impersonation(fields: Fields): KubeconfigUser["impersonate"] {
    const user = this.text(fields, "as");
    if (user === undefined) return undefined;
    const extra = record(fields["as-user-extra"], this.#path, "as-user-extra");
    return {
      user,
      groups: this.#texts(fields, "as-groups"),
      ...present("uid", this.text(fields, "as-uid")),
      extra: Object.fromEntries(Object.keys(extra).map((name) => [name, this.#texts(extra, name)])),
    };
  }

  #exec(value: unknown): ExecPlugin {
    const fields = record(value, this.#path, "exec");
    const command = this.text(fields, "command");
    if (command === undefined) throw malformed(this.#path, "exec has no command");
    const mode = this.text(fields, "interactiveMode") ?? "IfAvailable";
    if (mode !== "Never" && mode !== "IfAvailable" && mode !== "Always") {
      throw malformed(
        this.#path,
        `exec has interactiveMode "${mode}"; it may be Never, IfAvailable or Always`,
      );
    }
    const env = this.#list(fields, "env").map((entry) => record(entry, this.#path, "an entry of exec.env"));
    return {
      apiVersion: this.text(fields, "apiVersion") ?? "",
      // As exec.LookPath does: a bare word is searched in PATH, anything with a slash is a file beside this one.
      command: command.includes("/") ? this.#absolute(command) : command,
      args: this.#texts(fields, "args"),
      env: Object.fromEntries(
        env.map((entry) => [this.text(entry, "name") ?? "", this.text(entry, "value") ?? ""]),
      ),
      ...present("installHint", this.text(fields, "installHint")),
      provideClusterInfo: fields.provideClusterInfo === true,
      interactiveMode: mode,
    };
  }

  #list(fields: Fields, name: string): unknown[] {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw malformed(this.#path, `${name} must be a list`);
    return value;
  }

  #texts(fields: Fields, name: string): string[] {
    return this.#list(fields, name).map((item) => {
      if (typeof item !== "string") throw malformed(this.#path, `${name} must be a list of strings`);
      return item;
    });
  }

  #file(fields: Fields, name: string): string | undefined {
    const value = this.text(fields, name);
    return value === undefined ? undefined : this.#absolute(value);
  }

  #absolute(path: string): string {
    return isAbsolute(path) ? path : resolve(this.#folder, path);
  }
}

function present<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [name in K]?: V };
}
