/** A running cluster, as tests and the command line use it. */
import { join } from "node:path";
import type { ComponentName } from "./cluster-folder.ts";
import { type CommandOptions, runCommand } from "./command.ts";
import type { ServerAddress } from "./control-plane/addresses.ts";
import { type KeyPairPem, type Subject, urlHost } from "./control-plane/certificates.ts";
import type { Endpoint } from "./control-plane/endpoint.ts";
import { writeKubeconfig } from "./control-plane/kubeconfig.ts";
import type { PkiFolder } from "./control-plane/pki-folder.ts";
import { ClusterError } from "./errors.ts";
import type { ClusterNode, CommandResult, KubernetesMinor, ProcessHost } from "./types.ts";

export type ClientIdentity = Pick<Subject, "commonName" | "organizations" | "lifetimeMs">;

/** One API server of a cluster. It can be taken down and brought back, to test what clients make of that. */
export interface ApiServer {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /** SIGTERM, as in a rolling update: it drains, and takes itself out of the `kubernetes` EndpointSlice. */
  stop(): Promise<void>;
  /** SIGKILL, as in a crash: its lease, and so its place in the EndpointSlice, runs out within 15 s. */
  kill(): Promise<void>;
  /** Starts it again with the same flags and waits until it is ready. */
  start(): Promise<void>;
}

export interface TokenOptions {
  /** Seconds, at least 600 (the API server's own minimum); default 3,600. */
  readonly expirationSeconds?: number;
  /** Index of the API server the kubeconfig names; default 0. */
  readonly apiServer?: number;
}

/** What every provider's cluster can do. */
export interface BasicCluster extends AsyncDisposable {
  readonly name: string;
  /** Path of a kubeconfig with all rights. */
  readonly kubeconfig: string;
  readonly caPem: string;
  /** Runs kubectl with all rights; never throws for its status. */
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Path of a kubeconfig with a fresh token of a ServiceAccount, which must exist. */
  serviceAccountKubeconfig(namespace: string, name: string, options?: TokenOptions): Promise<string>;
  /** Ends the cluster and removes everything it left on the machine. */
  stop(): Promise<void>;
}

export interface Cluster extends BasicCluster {
  /** Six characters, unique on this machine. */
  readonly id: string;
  readonly kubernetes: KubernetesMinor;
  readonly dir: string;
  readonly apiServers: readonly ApiServer[];
  readonly nodes: readonly ClusterNode[];
  /** Path of the audit log of all API servers, one JSON event a line, when asked for. */
  readonly auditLog: string | undefined;
  /** Path of a component, e.g. `binary("kubectl")`. */
  binary(component: ComponentName): string;
  /** Path of a kubeconfig with a client certificate for any user and groups. */
  clientKubeconfig(identity: ClientIdentity): Promise<string>;
  /** Path of the admin kubeconfig for one of the API servers. */
  kubeconfigFor(apiServer: number): Promise<string>;
  /** Starts processes that end with the cluster, however it ends. */
  readonly processes: ProcessHost;
  /** Lets the cluster outlive this process. `stop` then is for `stopCluster(name)`. */
  detach(): Promise<void>;
}

/** The files a kubectl of a user without a home needs elsewhere. */
export function kubectlEnvironment(kubeconfig: string, dir: string): NodeJS.ProcessEnv {
  return { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(dir, "kubectl-cache") };
}

/** Writes kubeconfigs of one cluster into its folder. */
export class KubeconfigWriter {
  readonly #dir: string;
  readonly #name: string;
  readonly #pki: PkiFolder;
  readonly #servers: readonly string[];
  #count = 0;

  constructor(dir: string, name: string, pki: PkiFolder, servers: readonly ServerAddress[]) {
    this.#dir = dir;
    this.#name = `shieldx-${name}`;
    this.#pki = pki;
    this.#servers = servers.map(serverUrl);
  }

  async admin(path: string, apiServer = 0): Promise<string> {
    return await this.#write(
      path,
      "kubernetes-admin",
      { kind: "certificate", pair: this.#pki.admin },
      apiServer,
    );
  }

  async client(identity: ClientIdentity): Promise<string> {
    const pair = await this.#pki.authority.issue(identity, "client");
    return await this.#write(
      this.#file(identity.commonName),
      identity.commonName,
      { kind: "certificate", pair },
      0,
    );
  }

  async token(namespace: string, account: string, token: string, apiServer = 0): Promise<string> {
    const userName = `system:serviceaccount:${namespace}:${account}`;
    return await this.#write(this.#file(userName), userName, { kind: "token", token }, apiServer);
  }

  #file(userName: string): string {
    this.#count++;
    return join(
      this.#dir,
      "kubeconfigs",
      `${userName.replaceAll(/[^\w.-]/g, "_")}-${this.#count}.kubeconfig`,
    );
  }

  async #write(
    path: string,
    userName: string,
    user: { kind: "certificate"; pair: KeyPairPem } | { kind: "token"; token: string },
    apiServer: number,
  ): Promise<string> {
    const server = this.#servers[apiServer];
    if (server === undefined) throw new ClusterError("INVALID_OPTION", `there is no API server ${apiServer}`);
    const caPem = this.#pki.authority.certificatePem;
    return await writeKubeconfig(path, { cluster: this.#name, server, caPem, userName, user });
  }
}

export function serverUrl(server: ServerAddress): string {
  return `https://${urlHost(server.address)}:${server.port}`;
}

/** Asks the API server for a token of a ServiceAccount (TokenRequest, authentication.k8s.io/v1). */
export async function requestToken(
  api: Endpoint,
  namespace: string,
  name: string,
  expirationSeconds = 3_600,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { status, body } = await api.send("POST", path, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds },
  });
  if (status !== 201) {
    throw new ClusterError(
      "COMMAND_FAILED",
      `no token for ${namespace}/${name}: status ${status}: ${body.slice(0, 500)}`,
    );
  }
  const answer: { status: { token: string } } = JSON.parse(body);
  return answer.status.token;
}

export async function kubectl(
  binary: string,
  kubeconfig: string,
  dir: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const env = { ...kubectlEnvironment(kubeconfig, dir), ...options.env };
  return await runCommand(binary, args, { ...options, env });
}
