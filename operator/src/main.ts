import { hostname } from "node:os";
import {
  type Client,
  CredentialsError,
  createClient,
  createManager,
  createTransportMetrics,
  type Logger,
  loadCredentials,
  MutatingAdmissionPolicy,
  readSecretText,
  realClock,
} from "@shieldx/controller-runtime";
import { LEADER_LEASE } from "@shieldx/crds";
import { compilerBeside, openRegoPolicies } from "@shieldx/policy-engine";
import { createLogger, registerBuildInfo, startTracing, type Tracing } from "@shieldx/telemetry";
import { collectDefaultMetrics, Registry } from "prom-client";
import packageJson from "../package.json" with { type: "json" };
import type { WebhookAddress } from "./controllers/webhook-configuration/decide.ts";
import { FlagError, type OperatorFlags, parseFlags, USAGE } from "./flags.ts";
import { buildOperator } from "./operator.ts";
import { operatorRbac } from "./rbac.ts";
import { awaitFitCluster, isServed, StartupError } from "./startup.ts";
import { serveWaitingHealth } from "./waiting-health.ts";

/** Runs the operator until SIGTERM or SIGINT. Resolves with the exit code: 0 after an orderly end, else 1. */
export async function main(argv: readonly string[]): Promise<number> {
  let flags: OperatorFlags | "help";
  try {
    flags = parseFlags(argv);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`shieldx operator: ${error.message}\n`);
    return 1;
  }
  if (flags === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => stop.abort(new Error(`received ${signal}`));
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    return await runOperator(flags, stop.signal);
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

async function runOperator(flags: OperatorFlags, signal: AbortSignal): Promise<number> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerBuildInfo(registry, "operator", packageJson.version);
  const tracing = await startTracing({
    env: process.env,
    serviceName: "shieldx-operator",
    serviceVersion: packageJson.version,
    instance: hostname(),
    registry,
  });
  const logger = createLogger({ component: "operator", level: flags.logLevel, trace: tracing.active });
  tracing.tellTo(logger);
  const closeHealth = await serveWaitingHealth(flags.healthBindAddress);
  const client = await openClient(flags, registry, logger, tracing);
  if (client === undefined) {
    await closeHealth();
    return 1;
  }
  try {
    const serverMinor = await awaitFitCluster({
      client,
      clock: realClock,
      logger,
      namespace: flags.namespace,
      needs: operatorRbac,
      signal,
    });
    await closeHealth();
    const manager = createManager({
      client,
      name: LEADER_LEASE,
      namespace: flags.namespace,
      leaderElection: flags.leaderElect,
      metrics: registry,
      ...(flags.metricsBindAddress === undefined ? {} : { metricsBindAddress: flags.metricsBindAddress }),
      ...(flags.healthBindAddress === undefined ? {} : { healthBindAddress: flags.healthBindAddress }),
      logger,
      tracer: tracing.tracer,
      clock: realClock,
    });
    const rego = openRegoPolicies({
      compilerFile: flags.regoCompiler ?? compilerBeside(process.argv[1]),
      planFolder: flags.regoPlans,
      clock: realClock,
      readSecret: (name, key) =>
        readSecretText(
          client,
          { namespace: flags.namespace, name, key },
          "list it in rbac.bundleSecrets of the chart",
        ),
      log: (level, fields, message) => logger[level](fields, message),
    });
    signal.addEventListener("abort", () => rego.stop(), { once: true });
    buildOperator({
      manager,
      registry,
      clock: realClock,
      logger,
      namespace: flags.namespace,
      agentsNamespace: flags.agentsNamespace,
      serverMinor,
      servesMutatingPolicies: await isServed(client, MutatingAdmissionPolicy),
      webhookAddress: addressOf(flags),
      auditReports: flags.auditReports,
      auditReportsPerNamespace: flags.auditReportsPerNamespace,
      auditWritesPerSecond: flags.auditWritesPerSecond,
      servesPage: flags.page,
      ...(flags.unusedAfterMs === undefined ? {} : { unusedAfterMs: flags.unusedAfterMs }),
      rego,
    });
    logger.info({ server: client.server, serverMinor, namespace: flags.namespace }, "operator starts");
    await manager.run(signal);
    logger.info({}, "operator ended in good order");
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    if (error instanceof StartupError) fail(error.message);
    else logger.error({ err: error }, "operator ended");
    return 1;
  } finally {
    await closeHealth();
    await client.close();
    await tracing.close();
  }
}

async function openClient(
  flags: OperatorFlags,
  registry: Registry,
  logger: Logger,
  { tracer }: Tracing,
): Promise<Client | undefined> {
  try {
    const credentials = await loadCredentials(
      flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig },
    );
    return createClient({
      credentials,
      userAgent: `shieldx-operator/${packageJson.version}`,
      metrics: createTransportMetrics(registry),
      logger,
      tracer,
    });
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    fail(error.message);
    return undefined;
  }
}

function addressOf({ webhookUrl, webhookProbeUrl, namespace }: OperatorFlags): WebhookAddress {
  return webhookUrl === undefined || webhookProbeUrl === undefined
    ? { kind: "service", namespace }
    : { kind: "url", admit: webhookUrl, probe: webhookProbeUrl };
}

/** One clear line for whoever started the process. */
function fail(message: string): void {
  process.stderr.write(`shieldx operator: ${message.replace(/\s+/g, " ")}\n`);
}
