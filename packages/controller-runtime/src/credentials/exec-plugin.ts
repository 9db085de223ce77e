import { execFile } from "node:child_process";
import { CredentialsError } from "./credentials-error.ts";
import type { ExecPlugin, KubeconfigCluster } from "./kubeconfig.ts";
import type { IssuedCredential } from "./reloading-auth.ts";

const supported = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
const pluginTimeoutMs = 60_000;

/** What the plugin is told about the cluster when it asks for it. */
export interface ExecCluster {
  server: string;
  cluster: KubeconfigCluster;
  /** PEM, if any. */
  ca?: string;
}

/**
 * Runs a client-go credential plugin (KEP-541) and returns what it issued.
 * @throws CredentialsError `ExecFailed` when it does not run or fails, `ExecMalformed` when its answer is not
 *   an ExecCredential
 */
export async function runExecPlugin(plugin: ExecPlugin, target: ExecCluster): Promise<IssuedCredential> {
  if (!supported.includes(plugin.apiVersion)) {
    throw new CredentialsError(
      "Unsupported",
      `exec plugin ${plugin.command} speaks "${plugin.apiVersion}"`,
      `set its apiVersion to ${supported.join(" or ")}`,
    );
  }
  const isInteractive = plugin.interactiveMode !== "Never" && process.stdin.isTTY === true;
  if (plugin.interactiveMode === "Always" && !isInteractive) {
    throw new CredentialsError(
      "ExecFailed",
      `exec plugin ${plugin.command} needs a terminal (interactiveMode: Always) and there is none`,
      "use an identity that does not ask, such as a service account token",
    );
  }
  const stdout = await run(plugin, JSON.stringify(execInfo(plugin, target, isInteractive)), isInteractive);
  return parseExecCredential(stdout, plugin);
}

function execInfo(plugin: ExecPlugin, target: ExecCluster, interactive: boolean): object {
  const { cluster } = target;
  return {
    apiVersion: plugin.apiVersion,
    kind: "ExecCredential",
    spec: {
      interactive,
      ...(plugin.provideClusterInfo
        ? {
            cluster: {
              server: target.server,
              ...(cluster.tlsServerName === undefined ? {} : { "tls-server-name": cluster.tlsServerName }),
              ...(cluster.insecureSkipTlsVerify === true ? { "insecure-skip-tls-verify": true } : {}),
              ...(target.ca === undefined
                ? {}
                : { "certificate-authority-data": Buffer.from(target.ca, "utf8").toString("base64") }),
              ...(cluster.execConfig === undefined ? {} : { config: cluster.execConfig }),
            },
          }
        : {}),
    },
  };
}

function run(plugin: ExecPlugin, info: string, isInteractive: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      plugin.command,
      [...plugin.args],
      {
        env: { ...process.env, ...plugin.env, KUBERNETES_EXEC_INFO: info },
        timeout: pluginTimeoutMs,
        maxBuffer: 4 * 2 ** 20,
        windowsHide: true,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(failure(plugin, error, stderr));
      },
    );
    if (isInteractive && child.stdin !== null) process.stdin.pipe(child.stdin);
    else child.stdin?.end();
    child.stdin?.on("error", () => undefined); // the plugin may exit without reading it
  });
}

function failure(
  plugin: ExecPlugin,
  error: Error & { code?: unknown; killed?: boolean },
  stderr: string,
): CredentialsError {
  if (error.code === "ENOENT") {
    return new CredentialsError(
      "ExecFailed",
      `exec plugin ${plugin.command} is not installed`,
      plugin.installHint ?? "install it or correct users[].user.exec.command",
      error,
    );
  }
  const said = stderr.trim().slice(-500);
  const how =
    error.killed === true
      ? `did not finish within ${pluginTimeoutMs / 1000} s`
      : `failed (${String(error.code)})`;
  return new CredentialsError(
    "ExecFailed",
    `exec plugin ${plugin.command} ${how}${said === "" ? "" : `: ${said}`}`,
    "run it by hand to see why",
    error,
  );
}

/** Reads a plugin's output. @throws CredentialsError `ExecMalformed` */
export function parseExecCredential(
  text: string,
  plugin: Pick<ExecPlugin, "apiVersion" | "command">,
): IssuedCredential {
  const malformed = (why: string, cause?: unknown): CredentialsError =>
    new CredentialsError(
      "ExecMalformed",
      `exec plugin ${plugin.command} printed no usable ExecCredential: ${why}`,
      "update the plugin",
      cause,
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw malformed("it is not JSON", error);
  }
  const { kind, apiVersion, status } = (parsed ?? {}) as {
    kind?: unknown;
    apiVersion?: unknown;
    status?: unknown;
  };
  if (kind !== "ExecCredential") throw malformed("kind is not ExecCredential");
  if (apiVersion !== plugin.apiVersion) throw malformed(`apiVersion is not ${plugin.apiVersion}`);
  if (typeof status !== "object" || status === null) throw malformed("status is missing");
  const fields = status as Record<string, unknown>;
  const field = (name: string): string | undefined => {
    const value = fields[name];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw malformed(`status.${name} is not a string`);
    return value;
  };
  const token = field("token");
  const cert = field("clientCertificateData");
  const key = field("clientKeyData");
  const expiry = field("expirationTimestamp");
  if (token === undefined && cert === undefined)
    throw malformed("it has neither a token nor a client certificate");
  if ((cert === undefined) !== (key === undefined))
    throw malformed("client certificate and key must come together");
  const expiresAtMs = expiry === undefined ? undefined : Date.parse(expiry);
  if (expiresAtMs !== undefined && Number.isNaN(expiresAtMs))
    throw malformed("status.expirationTimestamp is not a time");
  return {
    ...(token === undefined ? {} : { token }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
}
