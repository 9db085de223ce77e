import { once } from "node:events";
import {
  type Clock,
  guardClient,
  Lease,
  type Logger,
  type Manager,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { isJudgedByStatus, stagingKey } from "@shieldx/crds";
import type { RegoPolicies } from "@shieldx/policy-engine";
import type { Registry } from "prom-client";
import { BreakGlassReports } from "./break-glass-reports.ts";
import { BreakGlasses } from "./break-glasses.ts";
import type { OperatorContext } from "./context.ts";
import { AuditIndex } from "./controllers/audit/audit-index.ts";
import { Auditor } from "./controllers/audit/auditor.ts";
import { tenantShare } from "./controllers/audit/report-places.ts";
import { DEFAULT_RESULT_LIMITS } from "./controllers/audit/report-results.ts";
import { ReportWriter } from "./controllers/audit/report-writer.ts";
import { type CertificateSettings, certificatesController } from "./controllers/certificates/controller.ts";
import { cleanupController } from "./controllers/cleanup/controller.ts";
import { gapsController } from "./controllers/gaps/controller.ts";
import { GeneratedCaches } from "./controllers/generation/caches.ts";
import { generationController } from "./controllers/generation/controller.ts";
import { namespacedShieldPolicyController } from "./controllers/namespacedshieldpolicy/controller.ts";
import { nativeController } from "./controllers/native/controller.ts";
import { NativeStandings } from "./controllers/native/standings.ts";
import { rolloutController } from "./controllers/rollout/controller.ts";
import { shieldBreakGlassController } from "./controllers/shieldbreakglass/controller.ts";
import { shieldExceptionController } from "./controllers/shieldexception/controller.ts";
import { shieldPolicyController } from "./controllers/shieldpolicy/controller.ts";
import { webhookConfigurationController } from "./controllers/webhook-configuration/controller.ts";
import type { WebhookAddress } from "./controllers/webhook-configuration/decide.ts";
import { mutationsController } from "./controllers/webhook-configuration/mutations-controller.ts";
import { Departures } from "./departures.ts";
import { ExceptionUses } from "./exception-uses.ts";
import { FindingsWriter } from "./findings/findings-writer.ts";
import { type StoredFindings, storedFindings } from "./findings/stored-findings.ts";
import { registerFleetMetrics } from "./fleet-metrics.ts";
import {
  asPolicy,
  NamespacedShieldPolicyType,
  ShieldBreakGlassType,
  ShieldExceptionType,
  ShieldGeneratorType,
  type ShieldPolicyObject,
  ShieldPolicyType,
  tenantAsPolicy,
} from "./kinds.ts";
import { createMetrics } from "./metrics.ts";
import { Obstacles } from "./obstacles.ts";
import { pageHandlers } from "./page/page.ts";
import { PolicyWorld } from "./policy-world.ts";
import { RolloutReports } from "./rollout-reports.ts";
import { followServerVersion } from "./server-version.ts";
import { TamperingTimes } from "./tampering-times.ts";
import { VersionsBefore } from "./versions-before.ts";
import { OURS, replicaLeases } from "./watched.ts";

const DEFAULT_UNUSED_AFTER_MS = 7 * 86_400_000;

export interface OperatorParts {
  readonly manager: Manager;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace: string;
  readonly agentsNamespace?: string | undefined;
  /** At the start; it is followed from then on. */
  readonly serverMinor: number;
  /** Whether the API server has MutatingAdmissionPolicies of version v1. Default: no. */
  readonly servesMutatingPolicies?: boolean;
  readonly webhookAddress: WebhookAddress;
  /** Most openreports.io Reports to keep; 0 for none. */
  readonly auditReports: number;
  /** Of those in one namespace. Default 100. */
  readonly auditReportsPerNamespace?: number | undefined;
  /** Statuses, and Reports, that the audit writes a second, each. Default 10. */
  readonly auditWritesPerSecond?: number | undefined;
  /** Whether the page is served beside the metrics. Default: yes. */
  readonly servesPage?: boolean;
  readonly rego: RegoPolicies;
  /** How long nothing needs an exception before it counts as unused. Default: a week. */
  readonly unusedAfterMs?: number;
  readonly certificates?: CertificateSettings;
  /** How soon a write that was refused is tried again. Default 30 s. */
  readonly refusalRetryMs?: number;
}

/** Adds every controller of the operator to a manager. Nothing runs until the manager does. */
export function buildOperator(parts: OperatorParts): OperatorContext {
  const { manager, clock, logger, namespace, agentsNamespace } = parts;
  const ownNamespaces = agentsNamespace === undefined ? [namespace] : [namespace, agentsNamespace];
  const policies = manager.informer(ShieldPolicyType, {});
  const tenantPolicies = manager.informer(NamespacedShieldPolicyType, {});
  const allPolicies = () => [...policies.store.list(), ...tenantPolicies.store.list().map(tenantAsPolicy)];
  const exceptions = manager.informer(ShieldExceptionType, {});
  const breakGlasses = manager.informer(ShieldBreakGlassType, {});
  const namespaces = manager.informer(Namespace, {});
  const leases = manager.informer(Lease, replicaLeases(namespace));
  const findings = storedFindings(manager, namespace);
  const world = new PolicyWorld({
    sources: {
      policies: allPolicies,
      exceptions: () => exceptions.store.list(),
      leases: () => leases.store.list(),
    },
    serverMinor: parts.serverMinor,
    ownNamespaces,
    rego: parts.rego,
  });
  const exceptionUids = new Set<string>();
  const departures = new Departures();
  departures.follow(manager.informer(ValidatingAdmissionPolicy, OURS));
  departures.follow(manager.informer(ValidatingAdmissionPolicyBinding, OURS));
  departures.follow(manager.informer(ValidatingWebhookConfiguration, {}));
  departures.follow(manager.informer(MutatingWebhookConfiguration, OURS));
  if (parts.servesMutatingPolicies === true) {
    departures.follow(manager.informer(MutatingAdmissionPolicy, OURS));
    departures.follow(manager.informer(MutatingAdmissionPolicyBinding, OURS));
  }
  const operator: OperatorContext = {
    namespace,
    ownNamespaces,
    get serverMinor() {
      return world.serverMinor;
    },
    servesMutatingPolicies: parts.servesMutatingPolicies ?? false,
    webhookAddress: parts.webhookAddress,
    world,
    departures,
    exceptionUses: new ExceptionUses({
      clock,
      isKnown: (uid) => exceptionUids.has(uid) || !exceptions.hasSynced,
    }),
    rolloutReports: new RolloutReports(),
    breakGlasses: new BreakGlasses(
      () => breakGlasses.store.list(),
      () => clock.now(),
    ),
    breakGlassReports: new BreakGlassReports(),
    tamperingTimes: new TamperingTimes(clock),
    versionsBefore: new VersionsBefore(),
    unusedAfterMs: parts.unusedAfterMs ?? DEFAULT_UNUSED_AFTER_MS,
    clock,
    metrics: createMetrics(parts.registry),
    obstacles: new Obstacles({ retryMs: parts.refusalRetryMs ?? 30_000, logger }),
    native: new NativeStandings(),
  };
  registerFleetMetrics(parts.registry, {
    hasSynced: () => [policies, tenantPolicies, exceptions, leases].every((informer) => informer.hasSynced),
    policies: () => policies.store.list(),
    tenantPolicies: () => tenantPolicies.store.list(),
    exceptions: () => exceptions.store.list(),
    breakGlasses: () => operator.breakGlasses,
    replicas: () => world.liveReplicas(clock.now()),
    isCurrent: (replica) => world.isCurrent(replica),
    now: () => clock.now(),
  });
  const sources = {
    policies: allPolicies,
    namespace: (name: string) => namespaces.store.get(name),
  };
  const auditor = buildAuditor(parts, operator, sources, findings);
  if (parts.servesPage !== false) {
    const handlers = pageHandlers({
      clock,
      sources: () =>
        policies.hasSynced && tenantPolicies.hasSynced && exceptions.hasSynced && findings.hasSynced()
          ? {
              policies: policies.store.list(),
              tenantPolicies: tenantPolicies.store.list(),
              exceptions: exceptions.store.list(),
              findings: findings.current(),
            }
          : undefined,
    });
    for (const [path, handler] of handlers) manager.addExtraHandler(path, handler);
  }

  // The world first: the controllers' own handlers, added below, run after these and then see it current.
  const changed = (): void => {
    world.invalidate();
    auditor.policiesChanged();
  };
  const ifSpecChanged = (old: Versioned, now: Versioned): void => {
    if (identityOf(old) !== identityOf(now)) changed();
  };
  world.onCompiled(() => auditor.policiesChanged());
  policies.on({
    added: (policy) => {
      operator.tamperingTimes.saw(policy);
      changed();
    },
    deleted: (policy) => {
      operator.tamperingTimes.gone(policy.metadata.name);
      changed();
    },
    updated: (old, now) => {
      operator.versionsBefore.changed(old, now);
      // A stage is read from the status, and a set that is built by it.
      if (stageOf(old) !== stageOf(now)) changed();
      else ifSpecChanged(old, now);
      // So is who judges by it, which an audit does not hang on.
      if (isByStatus(old) !== isByStatus(now)) world.invalidate();
    },
  });
  tenantPolicies.on({ added: changed, deleted: changed, updated: ifSpecChanged });
  exceptions.on({ added: changed, deleted: changed, updated: ifSpecChanged });
  exceptions.on({
    added: ({ metadata: { uid = "" } }) => void exceptionUids.add(uid),
    deleted: ({ metadata: { uid = "" } }) => {
      exceptionUids.delete(uid);
      operator.exceptionUses.forget(uid);
    },
  });
  const seen = (): void => {
    const live = world.liveReplicas(clock.now()).map(({ name }) => name);
    operator.exceptionUses.observe(leases.store.list(), new Set(live));
    operator.rolloutReports.observe(leases.store.list());
    operator.breakGlassReports.observe(leases.store.list());
  };
  leases.on({ added: seen, updated: seen, deleted: seen });
  namespaces.on({
    added: ({ metadata }) => auditor.namespaceChanged(metadata.name),
    updated: (old, now) => {
      if (JSON.stringify(old.metadata.labels) !== JSON.stringify(now.metadata.labels)) {
        auditor.namespaceChanged(now.metadata.name);
      }
    },
  });

  manager.addController(certificatesController(operator, parts.certificates));
  manager.addController(webhookConfigurationController(operator));
  manager.addController(mutationsController(operator));
  manager.addController(nativeController(operator));
  manager.addController(shieldPolicyController(operator));
  manager.addController(namespacedShieldPolicyController(operator));
  manager.addController(rolloutController(operator));
  manager.addController(shieldExceptionController(operator));
  manager.addController(shieldBreakGlassController(operator));
  manager.addController(gapsController(operator, (policy, gap) => auditor.ofGap(policy, gap)));
  addGeneration(parts, operator);
  manager.addController(cleanupController(operator));
  manager.addRunnable({
    name: "exception-uses",
    needsLeadership: true,
    start: async (signal) => {
      operator.exceptionUses.lead(true);
      await aborted(signal);
      operator.exceptionUses.lead(false);
    },
  });
  manager.addRunnable({
    name: "server-version",
    needsLeadership: false,
    start: (signal) =>
      followServerVersion(
        { client: manager.client, clock, logger, observe: (minor) => world.observeServer(minor) },
        signal,
      ),
  });
  manager.addRunnable({ name: "audit", needsLeadership: true, start: (signal) => auditor.run(signal) });
  logger.debug({ namespace, serverMinor: parts.serverMinor }, "controllers are set up");
  return operator;
}

function addGeneration(
  { manager, logger, clock, namespace }: OperatorParts,
  operator: OperatorContext,
): void {
  const generators = manager.informer(ShieldGeneratorType, {});
  const caches = new GeneratedCaches({
    client: manager.client,
    namespace,
    logger,
    monotonicNow: () => clock.monotonicNow(),
  });
  manager.addController(
    generationController(operator, { caches, generators: () => generators.store.list() }),
  );
  manager.addRunnable({
    name: "generated-objects",
    needsLeadership: true,
    start: (signal) => caches.start(signal),
  });
}

function buildAuditor(
  parts: OperatorParts,
  operator: OperatorContext,
  sources: ConstructorParameters<typeof Auditor>[0]["sources"],
  stored: StoredFindings,
): Auditor {
  const { manager, logger, clock, auditReports, namespace } = parts;
  const { auditReportsPerNamespace = 100, auditWritesPerSecond: writesPerSecond = 10 } = parts;
  // Like the controllers', its writes must not begin once the Lease may have lapsed.
  const client = guardClient(manager.client, manager.leadershipGuard);
  return new Auditor({
    operator,
    client,
    sources,
    logger,
    writesPerSecond,
    index: new AuditIndex({ mostDetailed: auditReports + tenantShare(auditReports) }),
    findings: new FindingsWriter({
      client,
      namespace,
      stored: stored.current,
      clock,
      obstacles: operator.obstacles,
    }),
    reports:
      auditReports === 0
        ? undefined
        : new ReportWriter({
            client,
            logger,
            metrics: operator.metrics,
            obstacles: operator.obstacles,
            now: () => clock.now(),
            monotonicNow: () => clock.monotonicNow(),
            limits: {
              ...DEFAULT_RESULT_LIMITS,
              reports: auditReports,
              perNamespace: auditReportsPerNamespace,
            },
            writesPerSecond,
          }),
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

interface Versioned {
  readonly metadata: {
    readonly uid?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
  };
}

function stageOf(policy: ShieldPolicyObject): string {
  return stagingKey(asPolicy(policy));
}

function isByStatus(policy: ShieldPolicyObject): boolean {
  return isJudgedByStatus(asPolicy(policy));
}

/** A status write does not move the generation, and a set is not built anew for it. */
function identityOf({ metadata }: Versioned): string {
  return `${metadata.uid}/${metadata.generation}/${metadata.deletionTimestamp}`;
}
