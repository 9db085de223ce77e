import { type Client, type Clock, delay, type Logger } from "@shieldx/controller-runtime";

/** How often the API server is asked for its version, as replicas of the webhook do. */
const LOOK_MS = 10 * 60_000;

export interface ServerVersionParts {
  readonly client: Pick<Client, "serverVersion">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told each minor version that is read. Returns whether it is another than before. */
  readonly observe: (minor: number) => boolean;
}

/**
 * Goes on until aborted: a cluster is upgraded while the operator runs, and then takes functions in expressions, and means by
 * `latest`, what it did not before.
 */
export async function followServerVersion(parts: ServerVersionParts, signal: AbortSignal): Promise<void> {
  const { client, clock, logger, observe } = parts;
  while (!signal.aborted) {
    try {
      await delay(clock, LOOK_MS, signal);
      const { minor } = await client.serverVersion({ signal });
      if (observe(minor)) logger.info({ to: minor }, "the API server's version changed");
    } catch (error) {
      if (!signal.aborted) logger.debug({ err: error }, "the API server's version could not be read");
    }
  }
}
