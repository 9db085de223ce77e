import { ApiError, type Client, createClient, loadCredentials } from "@shieldx/controller-runtime";
import { UsageError } from "./errors.ts";

export interface ConnectionOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
}

/** What a failed call to the cluster means to the person who made it, in one line. */
export function connectionError(error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  if (error instanceof ApiError && error.code === 401) {
    return new UsageError(
      "Unauthorized",
      "the cluster does not accept these credentials (401): log in again, or choose another --context",
      { exitCode: 1, cause: error },
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  return new UsageError("ClusterUnreachable", message, { exitCode: 1, cause: error });
}

/** Connects, runs `use`, closes. Errors come out as one-line UsageErrors with exit code 1. */
export async function withClient<T>(
  options: ConnectionOptions,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  let client: Client | undefined;
  try {
    const credentials = await loadCredentials({
      ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
      ...(options.context === undefined ? {} : { context: options.context }),
    });
    client = createClient({ credentials, userAgent: "shieldctl", requestTimeoutMs: 15_000 });
    return await use(client);
  } catch (error) {
    throw connectionError(error);
  } finally {
    await client?.close();
  }
}
