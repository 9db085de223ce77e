import { readFile } from "node:fs/promises";
import { delimiter } from "node:path";
import type { Clock } from "../clock/clock.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { Credentials } from "./credentials.ts";
import { CredentialsError } from "./credentials-error.ts";
import { runExecPlugin } from "./exec-plugin.ts";
import {
  type Kubeconfig,
  type KubeconfigUser,
  mergeKubeconfigs,
  parseKubeconfig,
  type SelectedContext,
  selectContext,
} from "./kubeconfig.ts";
import { type AuthSources, ReloadingAuth, type Source, unreadable } from "./reloading-auth.ts";

/**
 * Credentials of one context of one or several kubeconfig files.
 * @param paths as KUBECONFIG has them, separated by `:`. Of several, missing ones are skipped, as kubectl does.
 * @throws CredentialsError
 */
export async function kubeconfigCredentials(
  paths: string,
  context: string | undefined,
  clock: Clock,
  logger: Logger = silentLogger,
): Promise<Credentials> {
  const config = await readKubeconfigs(paths.split(delimiter).filter((path) => path !== ""));
  const selected = selectContext(config, context, paths);
  const source = `${paths} (context ${selected.name})`;
  const server = checkServer(selected, source, logger);
  const auth = new ReloadingAuth(await sourcesOf(selected, server, source), clock, logger);
  return {
    server,
    source,
    ...(selected.namespace === undefined ? {} : { namespace: selected.namespace }),
    current: () => auth.current(),
    refresh: (refused) => auth.refresh(refused),
  };
}

async function readKubeconfigs(paths: readonly string[]): Promise<Kubeconfig> {
  const configs: Kubeconfig[] = [];
  let missing: CredentialsError | undefined;
  for (const path of paths) {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      const problem = unreadable(path, error);
      if (problem.code !== "FileMissing") throw problem;
      missing ??= problem;
      continue;
    }
    configs.push(parseKubeconfig(text, path));
  }
  if (configs.length === 0) {
    throw (
      missing ??
      new CredentialsError("NothingConfigured", "no kubeconfig is named", "set KUBECONFIG or --kubeconfig")
    );
  }
  return mergeKubeconfigs(configs);
}

function checkServer(selected: SelectedContext, source: string, logger: Logger): string {
  const { cluster } = selected;
  if (cluster.proxyUrl !== undefined) {
    throw new CredentialsError(
      "Unsupported",
      `${source}: proxy-url is not supported`,
      "remove it or reach the API server directly",
    );
  }
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new CredentialsError(
      "InvalidServer",
      `${source}: server "${cluster.server}" is not an http(s) URL`,
      "correct clusters[].cluster.server",
    );
  }
  if (cluster.insecureSkipTlsVerify === true) {
    if (cluster.certificateAuthorityFile !== undefined || cluster.certificateAuthorityData !== undefined) {
      throw new CredentialsError(
        "InvalidData",
        `${source}: it names a CA and insecure-skip-tls-verify`,
        "remove one of them",
      );
    }
    logger.warn({ source }, "insecure-skip-tls-verify is set: the API server's certificate is not verified");
  }
  return cluster.server.replace(/\/+$/, "");
}

async function sourcesOf(selected: SelectedContext, server: string, source: string): Promise<AuthSources> {
  const { cluster, user } = selected;
  if (user.authProvider !== undefined) {
    throw new CredentialsError(
      "Unsupported",
      `${source}: auth-provider "${user.authProvider}" was removed from Kubernetes in 1.26`,
      "use an exec plugin, such as kubelogin",
    );
  }
  const ca = either(
    cluster.certificateAuthorityData,
    cluster.certificateAuthorityFile,
    "certificate-authority-data",
    source,
  );
  const { exec } = user;
  return {
    ...present("ca", ca),
    ...present(
      "cert",
      either(user.clientCertificateData, user.clientCertificateFile, "client-certificate-data", source),
    ),
    ...present("key", either(user.clientKeyData, user.clientKeyFile, "client-key-data", source)),
    // kubectl prefers the file, which may be renewed, over the token in place
    ...present("token", tokenOf(user)),
    ...(exec === undefined
      ? {}
      : {
          issue: async () => {
            const caText =
              ca === undefined ? undefined : "value" in ca ? ca.value : await readFile(ca.file, "utf8");
            return runExecPlugin(exec, { server, cluster, ...(caText === undefined ? {} : { ca: caText }) });
          },
        }),
    ...present("serverName", cluster.tlsServerName),
    ...(cluster.insecureSkipTlsVerify === true ? { insecureSkipVerify: true } : {}),
    headers: fixedHeaders(user),
  };
}

function tokenOf(user: KubeconfigUser): Source | undefined {
  if (user.tokenFile !== undefined) return { file: user.tokenFile };
  return user.token === undefined ? undefined : { value: user.token };
}

function fixedHeaders(user: KubeconfigUser): Record<string, string> {
  const headers: Record<string, string> = {};
  if (user.username !== undefined) {
    const pair = `${user.username}:${user.password ?? ""}`;
    headers.authorization = `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
  }
  const { impersonate } = user;
  if (impersonate === undefined) return headers;
  if (impersonate.groups.length > 1 || Object.keys(impersonate.extra).length > 0) {
    throw new CredentialsError(
      "Unsupported",
      "impersonation with several groups or with extra fields is not supported",
      "use as, as-uid and at most one of as-groups",
    );
  }
  headers["impersonate-user"] = impersonate.user;
  if (impersonate.uid !== undefined) headers["impersonate-uid"] = impersonate.uid;
  if (impersonate.groups[0] !== undefined) headers["impersonate-group"] = impersonate.groups[0];
  return headers;
}

function either(
  data: string | undefined,
  file: string | undefined,
  field: string,
  source: string,
): Source | undefined {
  if (data === undefined) return file === undefined ? undefined : { file };
  const compact = data.replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) {
    throw new CredentialsError("InvalidData", `${source}: ${field} is not base64`, "correct the kubeconfig");
  }
  return { value: Buffer.from(compact, "base64").toString("utf8") };
}

function present<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [name in K]?: V };
}
