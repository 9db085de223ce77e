import { setFlagsFromString } from "node:v8";
import {
  type Client,
  CredentialsError,
  createClient,
  createTransportMetrics,
  type Logger,
  loadCredentials,
  realClock,
} from "@shieldx/controller-runtime";
import { createLogger, registerBuildInfo, startTracing, type Tracing } from "@shieldx/telemetry";
import { collectDefaultMetrics, Registry } from "prom-client";
import packageJson from "../package.json" with { type: "json" };
import { FlagError, parseFlags, usage, type WebhookFlags } from "./process/flags.ts";
import { runReplica } from "./process/replica.ts";
import { StartupError } from "./process/startup.ts";

/**
 * Runs one webhook replica until SIGTERM or SIGINT; a second signal cuts the drain short. Resolves with the exit code:
 * 0 after an orderly end, else 1.
 */
export async function main(argv: readonly string[]): Promise<number> {
  let flags: WebhookFlags | "help";
  try {
    flags = parseFlags(argv);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    return fail(error.message);
  }
  if (flags === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = (signal: NodeJS.Signals) =>
    (stop.signal.aborted ? hurry : stop).abort(new Error(`received ${signal}`));
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    return await run(flags, stop.signal, hurry.signal);
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

/**
 * Percent that the heap may grow before garbage is collected. V8 lets small heaps grow fourfold; what reviews leave behind
 * is nearly nothing, so that collecting it sooner costs little and halves what is resident.
 */
const heapGrowthPercent = 20;
/** Reading bundles beyond this takes the heap from little to much: as V8 does it by itself it is collected far less often. */
const largeBundleMiB = 64;

async function run(flags: WebhookFlags, stop: AbortSignal, hurry: AbortSignal): Promise<number> {
  if ((flags.largestBundleMiB ?? 0) <= largeBundleMiB)
    setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerBuildInfo(registry, "webhooks", packageJson.version);
  const tracing = await startTracing({
    env: process.env,
    serviceName: "shieldx-webhooks",
    serviceVersion: packageJson.version,
    instance: flags.replicaName,
    registry,
  });
  const logger = createLogger({ component: "webhooks", level: flags.logLevel, trace: tracing.active });
  tracing.tellTo(logger);
  const client = await openClient(flags, registry, logger, tracing);
  if (client === undefined) return 1;
  try {
    const { tracer } = tracing;
    await runReplica({ flags, client, registry, clock: realClock, logger, tracer }, stop, hurry);
    return 0;
  } catch (error) {
    if (error instanceof StartupError || error instanceof FlagError || isListenError(error))
      return fail(error.message);
    logger.error({ err: error }, "the webhook ended");
    return 1;
  } finally {
    await client.close();
    await tracing.close();
  }
}

async function openClient(
  flags: WebhookFlags,
  registry: Registry,
  logger: Logger,
  { tracer }: Tracing,
): Promise<Client | undefined> {
  try {
    const { kubeconfig } = flags;
    const credentials = await loadCredentials(kubeconfig === undefined ? { logger } : { kubeconfig, logger });
    return createClient({
      credentials,
      userAgent: `shieldx-webhooks/${packageJson.version}`,
      logger,
      tracer,
      metrics: createTransportMetrics(registry),
    });
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    fail(error.message);
    return undefined;
  }
}

function isListenError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === "listen";
}

/** One clear line for whoever started the process. */
function fail(message: string): 1 {
  process.stderr.write(`shieldx webhooks: ${message.replace(/\s+/g, " ")}\n`);
  return 1;
}
