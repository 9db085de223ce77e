import { parseArgs } from "node:util";
import {
  ApiError,
  CredentialsError,
  createClient,
  loadCredentials,
  realClock,
  TransportError,
} from "@shieldx/controller-runtime";
import { DEFAULT_NAMESPACE } from "@shieldx/crds";
import { createLogger, isLogLevel, logLevels } from "@shieldx/telemetry";
import packageJson from "../../package.json" with { type: "json" };
import { UninstallError, uninstall } from "./remove.ts";

const usage = `shieldx uninstall: removes what the operator made, before the release itself is removed

  --kubeconfig PATH   cluster to work on (default: the cluster this Pod runs in)
  --namespace NAME    ShieldX's own namespace (default ${DEFAULT_NAMESPACE})
  --timeout SECONDS   for the operator to end, and for everything to be gone (default 60)
  --log-level LEVEL   debug, info, warn or error (default info)
  --help

Objects of ShieldX's own kinds stay, and what ShieldGenerators have made; nothing enforces or keeps it any more.
`;

/** Resolves with the exit code: 0 when nothing of ours enforces any more, else 1. */
export async function main(argv: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  let flags: {
    kubeconfig?: string;
    namespace?: string;
    timeout?: string;
    "log-level"?: string;
    help?: boolean;
  };
  try {
    flags = parseArgs({
      args: [...argv],
      options: {
        kubeconfig: text,
        namespace: text,
        timeout: text,
        "log-level": text,
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)} (see --help)`);
  }
  if (flags.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const seconds = flags.timeout ?? "60";
  if (!/^[1-9]\d{0,3}$/.test(seconds)) return fail(`--timeout ${seconds}: must be whole seconds, 1 to 9999`);
  const level = flags["log-level"] ?? "info";
  if (!isLogLevel(level)) {
    return fail(`--log-level ${level}: use one of ${logLevels.join(", ")}`);
  }
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => stop.abort(new UninstallError(`received ${signal}`));
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    const credentials = await loadCredentials(
      flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig },
    );
    const client = createClient({ credentials, userAgent: `shieldx-uninstall/${packageJson.version}` });
    const logger = createLogger({ component: "uninstall", level });
    try {
      const removed = await uninstall({
        client,
        clock: realClock,
        logger,
        namespace: flags.namespace ?? DEFAULT_NAMESPACE,
        timeoutMs: Number(seconds) * 1000,
        signal: stop.signal,
      });
      logger.info({ removed: removed.length }, "nothing of ShieldX enforces any more");
      return 0;
    } finally {
      await client.close();
    }
  } catch (error) {
    const isExpected =
      error instanceof UninstallError ||
      error instanceof CredentialsError ||
      error instanceof ApiError ||
      error instanceof TransportError;
    if (!isExpected) throw error;
    return fail(error.message);
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

function fail(message: string): 1 {
  process.stderr.write(`shieldx uninstall: ${message.replace(/\s+/g, " ")}\n`);
  return 1;
}
