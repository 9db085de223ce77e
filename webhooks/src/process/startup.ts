import {
  type Client,
  type Clock,
  delay,
  findMissingRights,
  isForbidden,
  isUnauthorized,
  type Logger,
  TransportError,
} from "@shieldx/controller-runtime";
import { neededToServe, webhooksRbac } from "../rbac.ts";

const oldestMinor = 34;
const firstRetryMs = 500;
const longestRetryMs = 10_000;

/** Why this cluster cannot be worked with and waiting would not help. */
export class StartupError extends Error {
  override readonly name = "StartupError";
  readonly code: "OldServer" | "Unauthorized" | "Untrusted";

  constructor(code: StartupError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Resolves with the server's minor version once it answers and grants what serving needs. A server that cannot be
 * reached and roles that are not there are waited for, with one line each time the reason changes.
 * @param namespace ShieldX's own
 * @throws StartupError for what waiting does not mend; the signal's reason when aborted
 */
export async function awaitServer(
  client: Client,
  clock: Clock,
  logger: Logger,
  namespace: string,
  signal: AbortSignal,
): Promise<number> {
  let retryMs = firstRetryMs;
  let said = "";
  const say = (why: string): void => {
    if (why !== said) logger.warn({ waiting: true }, why);
    said = why;
  };
  for (;;) {
    try {
      const minor = fitMinor(client, await client.serverVersion({ signal }));
      const missing = await findMissingRights(client, neededToServe, namespace, signal);
      if (missing.length === 0) {
        await tellDispensable(client, logger, namespace, signal);
        return minor;
      }
      say(
        `missing rights: ${missing.join("; ")}. Install the chart's roles and bindings for this identity; not ready until then, waiting`,
      );
    } catch (error) {
      signal.throwIfAborted();
      say(mendable(client, error));
    }
    await delay(clock, retryMs, signal);
    retryMs = Math.min(retryMs * 2, longestRetryMs);
  }
}

/** Rights without which admission still works: Events, scrapes and the checking of expressions. */
async function tellDispensable(
  client: Client,
  logger: Logger,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const missing = await findMissingRights(client, webhooksRbac, namespace, signal);
  if (missing.length > 0) {
    logger.warn(
      {},
      `missing rights: ${missing.join("; ")}. Requests are served without; install the chart's roles and bindings for this identity`,
    );
  }
}

function fitMinor(client: Client, version: { major: number; minor: number; gitVersion: string }): number {
  if (version.major !== 1 || version.minor >= oldestMinor) return version.minor;
  throw new StartupError(
    "OldServer",
    `the API server at ${client.server} is ${version.gitVersion}; ShieldX needs Kubernetes 1.${oldestMinor} or newer: upgrade the cluster`,
  );
}

function mendable(client: Client, error: unknown): string {
  if (error instanceof StartupError) throw error;
  if (isUnauthorized(error)) {
    throw new StartupError(
      "Unauthorized",
      `the API server at ${client.server} does not know this identity (401): check the token or client certificate of the kubeconfig`,
      { cause: error },
    );
  }
  if (error instanceof TransportError && error.code === "TlsFailed") {
    throw new StartupError(
      "Untrusted",
      `the certificate of ${client.server} is not trusted: check certificate-authority in the kubeconfig (${error.message})`,
      { cause: error },
    );
  }
  if (isForbidden(error)) {
    return `the API server at ${client.server} refuses: ${(error as Error).message}; waiting for the right to be granted`;
  }
  return `the API server at ${client.server} cannot be used yet: ${error instanceof Error ? error.message : String(error)}; waiting`;
}
