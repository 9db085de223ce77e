import {
  type Client,
  type Clock,
  delay,
  isUnauthorized,
  type Logger,
  TransportError,
} from "@shieldx/controller-runtime";

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
 * Resolves with the server's minor version once it answers. A server that cannot be reached is waited for.
 * @throws StartupError for what waiting does not mend; the signal's reason when aborted
 */
export async function awaitServer(
  client: Client,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<number> {
  let retryMs = firstRetryMs;
  let said = "";
  for (;;) {
    try {
      return fitMinor(client, await client.serverVersion({ signal }));
    } catch (error) {
      signal.throwIfAborted();
      const why = mendable(client, error);
      if (why !== said) logger.warn({}, why);
      said = why;
    }
    await delay(clock, retryMs, signal);
    retryMs = Math.min(retryMs * 2, longestRetryMs);
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
  return `the API server at ${client.server} cannot be used yet: ${error instanceof Error ? error.message : String(error)}; waiting`;
}
