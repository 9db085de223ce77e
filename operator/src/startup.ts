import {
  type Client,
  type Clock,
  delay,
  findMissingRights,
  isForbidden,
  isNotFound,
  isUnauthorized,
  type Logger,
  type ResourceType,
  TransportError,
} from "@shieldx/controller-runtime";
import {
  NamespacedShieldPolicyType,
  ShieldBreakGlassType,
  ShieldCleanupType,
  ShieldExceptionType,
  ShieldGeneratorType,
  ShieldPolicyType,
} from "./kinds.ts";
import type { RbacNeeds } from "./rbac.ts";

/** Oldest API server the operator works with. */
export const OLDEST_MINOR = 34;

/** Why the operator cannot work with this cluster and waiting would not help. */
export class StartupError extends Error {
  readonly code: "OldServer" | "Unauthorized" | "Untrusted";

  constructor(code: StartupError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StartupError";
    this.code = code;
  }
}

/** What is looked at before anything starts, with everything outside given in. */
export interface StartupParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace: string;
  readonly needs: RbacNeeds;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/**
 * Resolves with the server's minor version once the cluster is fit to work with. What an administrator may still be
 * about to put right (server starting, kinds or roles not installed yet) is waited for, with one line each time the
 * reason changes.
 * @throws StartupError for what waiting does not mend; the signal's reason when aborted
 */
export async function awaitFitCluster(parts: StartupParts): Promise<number> {
  let retryMs = FIRST_RETRY_MS;
  let said = "";
  for (;;) {
    const answer = await look(parts);
    if (typeof answer === "number") return answer;
    if (answer !== said) parts.logger.warn({ waiting: true }, answer);
    else parts.logger.debug({ waiting: true }, answer);
    said = answer;
    await delay(parts.clock, retryMs, parts.signal);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }
}

/** The minor version, or what is missing as a sentence. */
async function look({ client, namespace, needs }: StartupParts): Promise<number | string> {
  try {
    const { major, minor, gitVersion } = await client.serverVersion();
    if (major === 1 && minor < OLDEST_MINOR) {
      throw new StartupError(
        "OldServer",
        `the API server at ${client.server} is ${gitVersion}; ShieldX needs Kubernetes 1.${OLDEST_MINOR} or newer: upgrade the cluster`,
      );
    }
    const missing = await findMissingRights(client, needs, namespace);
    if (missing.length > 0) {
      return `missing rights: ${missing.join("; ")}. Install the chart's roles and bindings for this identity; waiting`;
    }
    for (const type of [
      ShieldPolicyType,
      NamespacedShieldPolicyType,
      ShieldExceptionType,
      ShieldGeneratorType,
      ShieldCleanupType,
      ShieldBreakGlassType,
    ]) {
      if (!(await isServed(client, type))) {
        return `the kind ${type.kind} (${type.plural}.${type.group}) is not installed: apply the chart's CRDs; waiting`;
      }
    }
    return minor;
  } catch (error) {
    return waitOrThrow(client, error);
  }
}

/** Whether the API server knows the kind. */
export async function isServed(client: Client, type: ResourceType): Promise<boolean> {
  try {
    await client.list(type, { limit: 1 });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

function waitOrThrow(client: Client, error: unknown): string {
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
  if (isForbidden(error))
    return `the API server refuses: ${(error as Error).message}; waiting for the right to be granted`;
  return `the API server at ${client.server} cannot be used yet: ${error instanceof Error ? error.message : String(error)}; waiting`;
}
