import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import {
  type Client,
  type Clock,
  createHealthServer,
  createInformerMetrics,
  delay,
  EventBroadcaster,
  HealthChecks,
  Informer,
  type KubeObject,
  type Logger,
  Namespace,
  readSecretText,
  Secret,
  type TimerHandle,
  type Tracer,
} from "@shieldx/controller-runtime";
import {
  BUNDLE_FAILED,
  formatKeptPolicies,
  formatPolicyProblems,
  NOT_UNDERSTOOD,
  type PolicyProblem,
  TLS_SECRET,
  WEBHOOK_PATH,
} from "@shieldx/crds";
import type { TlsMaterial } from "@shieldx/pki/secret";
import {
  compilerBeside,
  HttpClient,
  ImageVerifier,
  openRegoPolicies,
  type PolicySet,
  type RegoPolicies,
  type VerifyImage,
} from "@shieldx/policy-engine";
import type { Registry } from "prom-client";
import { askBySubjectAccessReview } from "../admission/authorizations.ts";
import { BreakGlasses } from "../admission/break-glass.ts";
import { BreakGlassTally } from "../admission/break-glass-tally.ts";
import { ExceptionTally } from "../admission/exception-tally.ts";
import { dryRunChecker } from "../admission/expression-check.ts";
import { kindHandler } from "../admission/kinds.ts";
import { AdmissionMetrics } from "../admission/metrics.ts";
import { mutationHandler } from "../admission/mutations.ts";
import { policyHandler } from "../admission/policies.ts";
import { readableBySubjectAccessReview } from "../admission/readable.ts";
import { refusalTeller } from "../admission/refusals.ts";
import { RolloutTally } from "../admission/rollout-tally.ts";
import { Rollouts } from "../admission/rollouts.ts";
import { TopmostControllers } from "../admission/topmost.ts";
import { unreadByMutations, unreadByPolicies } from "../admission/unread.ts";
import {
  NamespacedShieldPolicyType,
  ShieldBreakGlassType,
  ShieldExceptionType,
  ShieldPolicyType,
} from "../names.ts";
import { WebhookMetrics } from "../server/metrics.ts";
import type { AdmissionHandler, UnreadHandler } from "../server/webhook-server.ts";
import { CertificateLoader } from "./certificate-loader.ts";
import { readClientCa } from "./client-ca.ts";
import { Decisions } from "./decisions.ts";
import type { WebhookFlags } from "./flags.ts";
import { Listeners } from "./listeners.ts";
import { LookedAt } from "./looked-at.ts";
import { Namespaces } from "./namespaces.ts";
import { ObjectSchemas } from "./object-schemas.ts";
import { PolicyLoader } from "./policy-loader.ts";
import { ReplicaLease } from "./replica-lease.ts";
import { awaitServer } from "./startup.ts";

export interface ReplicaParts {
  readonly flags: WebhookFlags;
  readonly client: Client;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer?: Tracer | undefined;
}

/** How soon counts of rollouts are told: sooner than the Lease is renewed, for a bad version is to be taken back soon. */
const tellCountsMs = 2_000;
/** Requests still under way when the drain ends get this long. */
const closeGraceMs = 15_000;
const serverVersionMs = 10 * 60_000;

/**
 * One replica of the webhook, from start to the end of its drain.
 * @param stop begins the drain: not ready any more, still serving for the shutdown delay, then no more
 * @param hurry cuts the shutdown delay short
 * @throws StartupError for a cluster that cannot be worked with; what listening throws
 */
export async function runReplica(parts: ReplicaParts, stop: AbortSignal, hurry: AbortSignal): Promise<void> {
  const replica = new Replica(parts);
  try {
    await replica.start(stop);
    await untilAborted(stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await replica.end(hurry);
  }
}

class Replica {
  readonly #parts: ReplicaParts;
  readonly #checks: HealthChecks;
  readonly #ending = new AbortController();
  readonly #metrics: WebhookMetrics;
  readonly #events: EventBroadcaster;
  readonly #lease: ReplicaLease;
  readonly #certificates: CertificateLoader;
  readonly #rego: RegoPolicies;
  readonly #policies: PolicyLoader;
  readonly #lookedAt: LookedAt;
  readonly #informers: readonly Informer[];
  /** Not waited for: nothing is open until it is read. */
  readonly #breakGlassInformer: Informer;
  readonly #breakGlasses: BreakGlasses;
  readonly #breakGlassTally: BreakGlassTally;
  readonly #background: Promise<void>[] = [];
  readonly #namespaces: Namespaces;
  readonly #schemas: ObjectSchemas;
  readonly #admissionMetrics: AdmissionMetrics;
  readonly #decisions: Decisions;
  readonly #tally: ExceptionTally;
  readonly #rolloutTally: RolloutTally;
  /** Names of the NamespacedShieldPolicies in a namespace. */
  readonly #policiesIn: (namespace: string) => readonly string[];
  #rollouts: Rollouts | undefined;
  #countsTimer: TimerHandle | undefined;
  #listeners: Listeners | undefined;
  #health: Server | undefined;
  #serverMinor = 0;
  #firstSet = Promise.withResolvers<void>();
  #firstLeaf = Promise.withResolvers<void>();

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    const { client, clock, logger, registry, flags } = parts;
    this.#checks = new HealthChecks(logger);
    this.#metrics = new WebhookMetrics(registry);
    this.#admissionMetrics = new AdmissionMetrics(registry);
    this.#events = new EventBroadcaster({ client, clock, logger, instance: flags.replicaName.slice(0, 128) });
    const cache = { client, clock, logger, metrics: createInformerMetrics(registry) };
    const policies = new Informer({ ...cache, type: ShieldPolicyType });
    const tenantPolicies = new Informer({
      ...cache,
      type: NamespacedShieldPolicyType,
      indexers: byNamespace,
    });
    this.#policiesIn = (namespace) =>
      tenantPolicies.store.byIndex("namespace", namespace).map(({ metadata: { name } }) => name);
    const exceptions = new Informer({ ...cache, type: ShieldExceptionType });
    const breakGlasses = new Informer({ ...cache, type: ShieldBreakGlassType });
    this.#breakGlassInformer = breakGlasses as unknown as Informer;
    this.#breakGlasses = new BreakGlasses({
      list: () => breakGlasses.store.list(),
      now: () => clock.now(),
      monotonicNow: () => clock.monotonicNow(),
    });
    breakGlasses.on({
      added: (glass) => {
        this.#breakGlasses.seen(glass);
        this.#changed();
      },
      updated: () => this.#changed(),
      deleted: ({ metadata: { uid = "" } }) => {
        this.#breakGlasses.gone(uid);
        this.#changed();
      },
    });
    const namespaces = new Informer({ ...cache, type: Namespace });
    const secrets = new Informer({
      ...cache,
      type: Secret,
      namespace: flags.namespace,
      fieldSelector: `metadata.name=${TLS_SECRET}`,
    });
    this.#informers = [policies, tenantPolicies, exceptions, namespaces, secrets] as unknown as Informer[];
    const processId = randomUUID();
    this.#rolloutTally = new RolloutTally(processId, () => this.#counted());
    this.#breakGlassTally = new BreakGlassTally(
      processId,
      () => clock.now(),
      () => this.#counted(),
    );
    this.#tally = new ExceptionTally({
      process: processId,
      uidOf: (key) => exceptions.store.get(key)?.metadata.uid,
      now: () => clock.now(),
      onApproval: () => this.#changed(),
    });
    exceptions.on({ deleted: ({ metadata: { uid = "" } }) => this.#tally.forget(uid) });
    this.#namespaces = new Namespaces(namespaces, client, logger);
    this.#schemas = new ObjectSchemas({ client, clock, logger });
    this.#lease = new ReplicaLease({
      client,
      clock,
      logger,
      namespace: flags.namespace,
      replica: flags.replicaName,
      report: () => this.#report(),
    });
    this.#lookedAt = new LookedAt({
      client,
      clock,
      logger,
      namespace: flags.namespace,
      signal: this.#ending.signal,
      onProgress: () => {
        this.#policies.resume();
        this.#changed();
      },
    });
    this.#rego = openRegoPolicies({
      compilerFile: flags.regoCompiler ?? compilerBeside(process.argv[1]),
      planFolder: flags.regoPlans,
      largestBundleMiB: flags.largestBundleMiB,
      clock,
      readSecret: this.#secretsListedIn("rbac.bundleSecrets"),
      log: (level, fields, message) => logger[level](fields, message),
    });
    this.#rego.onChange(() => this.#changed());
    this.#policies = new PolicyLoader({
      rego: this.#rego,
      policies,
      tenantPolicies,
      exceptions,
      serverMinor: () => this.#serverMinor,
      neverJudged: this.#ownNamespaces,
      metrics: this.#admissionMetrics,
      logger,
      prepare: (...sets) => this.#lookedAt.prepare(...sets),
      onBuilt: (set) => {
        if (this.#rolloutTally.follow(set)) this.#changed();
      },
      onSwap: (set) => {
        this.#schemas.expect(set.mutatedVersions());
        this.#firstSet.resolve();
        this.#changed();
      },
    });
    this.#decisions = new Decisions({
      ...parts,
      policies,
      rego: this.#rego,
      onChange: () => this.#changed(),
    });
    this.#certificates = new CertificateLoader({
      informer: secrets,
      client,
      namespace: flags.namespace,
      clock,
      logger,
      onChange: (material) => this.#useLeaves(material),
      onUnusable: () => this.#metrics.reloads.inc({ result: "unusable" }),
    });
  }

  /** Resolves when the replica is ready for requests. */
  async start(signal: AbortSignal): Promise<void> {
    const { client, clock, logger, flags, registry } = this.#parts;
    await this.#serveHealth();
    this.#serverMinor = await awaitServer(client, clock, logger, flags.namespace, signal);
    const { clientCaFile } = flags;
    const clientCa = clientCaFile === undefined ? undefined : await readClientCa(clientCaFile);
    this.#background.push(this.#breakGlassInformer.start(this.#ending.signal));
    for (const informer of this.#informers) this.#background.push(informer.start(this.#ending.signal));
    this.#background.push(this.#certificates.poll(this.#ending.signal), this.#followServerVersion());
    this.#background.push(this.#schemas.run(this.#ending.signal));
    await race(signal, Promise.all(this.#informers.map((informer) => informer.synced(signal))));
    this.#policies.rebuild();
    await race(signal, Promise.all([this.#firstSet.promise, this.#firstLeaf.promise]));
    await race(signal, this.#decisions.start(signal));
    const material = this.#certificates.current;
    if (material === undefined) throw new Error("the first leaf vanished");
    const listeners = new Listeners({
      flags,
      clientCa,
      ...this.#routes(),
      http: this.#decisions.http,
      registry,
      metrics: this.#metrics,
      client,
      clock,
      logger,
      tracer: this.#parts.tracer,
    });
    this.#listeners = listeners;
    await listeners.open(material);
    await this.#announce(signal);
    this.#checks.becomeReady();
    logger.info({ replica: flags.replicaName, digest: this.#policies.current?.digest }, "ready");
  }

  /**
   * First the report, then the Secret once more, from the server: whoever writes the Secret after our report is seen
   * will wait for us, and what was written before it is read here. So no leaf is served that nobody waits for.
   */
  async #announce(signal: AbortSignal): Promise<void> {
    let retryMs = 500;
    for (;;) {
      try {
        await this.#lease.publish(signal);
        await this.#certificates.readNow(signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#parts.logger.warn({ err: error }, "cannot announce this replica yet; trying again");
      }
      await delay(this.#parts.clock, retryMs, signal);
      retryMs = Math.min(retryMs * 2, 10_000);
    }
  }

  /** Drains: endpoints and keep-alive connections need a while to turn elsewhere. */
  async end(hurry: AbortSignal): Promise<void> {
    const { clock, logger, flags } = this.#parts;
    this.#checks.stopBeingReady();
    if (this.#listeners?.areOpen === true) {
      logger.info({ delayMs: flags.shutdownDelayMs }, "draining");
      this.#listeners.beginDraining();
      await delay(clock, flags.shutdownDelayMs, hurry).catch(() => undefined);
      await this.#listeners.close(hurry.aborted ? 1_000 : closeGraceMs);
      await this.#rollouts?.whenCounted();
      await this.#tellUses();
      // Only now: as long as requests may come, the operator must wait for this replica.
      await this.#lease.remove();
    } else {
      await this.#listeners?.close(0);
    }
    clock.clearTimeout(this.#countsTimer);
    this.#policies.stop();
    this.#rego.stop();
    await this.#decisions.end();
    this.#ending.abort(new Error("the replica ends"));
    await Promise.all([...this.#background, this.#events.close()]);
    this.#health?.close();
    this.#health?.closeAllConnections();
    logger.info({}, "ended in good order");
  }

  #routes(): {
    readonly routes: ReadonlyMap<string, AdmissionHandler>;
    readonly unread: ReadonlyMap<string, UnreadHandler>;
  } {
    const policySet = () => this.#policies.current;
    const findNamespace = (name: string, timeoutMs: number, uid: string) =>
      this.#namespaces.find(name, timeoutMs, uid);
    const { client, clock, logger } = this.#parts;
    const now = () => clock.now();
    const owners = new TopmostControllers({ client, clock, logger });
    const refusals = this.#decisions.tellingLog(
      refusalTeller({
        events: this.#events.recorderFor("shieldx-webhooks"),
        topmost: (controller) => owners.of(controller),
      }),
    );
    const askAuthorizer = askBySubjectAccessReview(client);
    const metrics = this.#admissionMetrics;
    const lookedAt = this.#lookedAt.context;
    const sendCall = new HttpClient({
      monotonicNow: () => clock.monotonicNow(),
      onCall: (result, seconds) => metrics.calls.observe({ result }, seconds),
    }).send;
    const outside = { askAuthorizer, sendCall, lookedAt, verifyImage: this.#verifyImage() };
    const exceptionUsed = (key: string) => this.#tally.used(key);
    const rollouts = new Rollouts({ ...outside, tally: this.#rolloutTally, now, metrics, logger });
    this.#rollouts = rollouts;
    const shared = {
      policySet,
      findNamespace,
      ...outside,
      now,
      refusals,
      logger,
      metrics,
      exceptionUsed,
      brokenBy: (policy: string) => this.#breakGlasses.openFor(policy),
      letPass: this.#breakGlassTally.letPass.bind(this.#breakGlassTally),
    };
    const changing = {
      ...shared,
      letPass: this.#breakGlassTally.letPassUnchanged.bind(this.#breakGlassTally),
    };
    const mutations = (failurePolicy: "Fail" | "Ignore", reinvocationPolicy: "Never" | "IfNeeded") =>
      mutationHandler({ ...changing, failurePolicy, reinvocationPolicy, findTypes: this.#schemas.find });
    const unreadByMutating = (failurePolicy: "Fail" | "Ignore", reinvocationPolicy: "Never" | "IfNeeded") =>
      unreadByMutations({ ...changing, failurePolicy, reinvocationPolicy });
    const unread = new Map([
      [WEBHOOK_PATH.fail, unreadByPolicies({ ...shared, failurePolicy: "Fail" })],
      [WEBHOOK_PATH.ignore, unreadByPolicies({ ...shared, failurePolicy: "Ignore" })],
      [WEBHOOK_PATH.mutateFail, unreadByMutating("Fail", "IfNeeded")],
      [WEBHOOK_PATH.mutateIgnore, unreadByMutating("Ignore", "IfNeeded")],
      [WEBHOOK_PATH.mutateFailOnce, unreadByMutating("Fail", "Never")],
      [WEBHOOK_PATH.mutateIgnoreOnce, unreadByMutating("Ignore", "Never")],
    ]);
    const routes = new Map([
      [WEBHOOK_PATH.fail, policyHandler({ ...shared, failurePolicy: "Fail" })],
      [WEBHOOK_PATH.ignore, policyHandler({ ...shared, failurePolicy: "Ignore", rollouts })],
      [WEBHOOK_PATH.mutateFail, mutations("Fail", "IfNeeded")],
      [WEBHOOK_PATH.mutateIgnore, mutations("Ignore", "IfNeeded")],
      [WEBHOOK_PATH.mutateFailOnce, mutations("Fail", "Never")],
      [WEBHOOK_PATH.mutateIgnoreOnce, mutations("Ignore", "Never")],
      [
        WEBHOOK_PATH.kinds,
        kindHandler({
          policySet,
          findNamespace,
          now,
          serverMinor: () => this.#serverMinor,
          checkExpressions: dryRunChecker(client),
          rego: this.#rego,
          policiesIn: this.#policiesIn,
          neverJudged: this.#ownNamespaces,
          findReadable: readableBySubjectAccessReview(client, askAuthorizer),
          openBreakGlasses: () => this.#breakGlasses.open.length,
          approved: (approval) => this.#tally.approved(approval),
        }),
      ],
    ]);
    return { routes, unread };
  }

  get #ownNamespaces(): readonly string[] {
    const { namespace, agentsNamespace } = this.#parts.flags;
    return agentsNamespace === undefined ? [namespace] : [namespace, agentsNamespace];
  }

  /** Registries have a client of their own: those that are slow must not take their turn from hosts that policies call. */
  #verifyImage(): VerifyImage {
    const { clock } = this.#parts;
    const monotonicNow = () => clock.monotonicNow();
    return new ImageVerifier({
      send: new HttpClient({ monotonicNow }).send,
      readSecret: this.#secretsListedIn("rbac.imageSecrets"),
      monotonicNow,
      now: () => clock.now(),
      onVerified: (result, seconds) => this.#admissionMetrics.images.observe({ result }, seconds),
    }).verify;
  }

  /** Reads Secrets of the installation, as far as a value of the chart grants them. */
  #secretsListedIn(value: string): (name: string, key: string) => Promise<string> {
    const { client, flags } = this.#parts;
    const remedy = `list it in ${value} of the chart`;
    return (name, key) => readSecretText(client, { namespace: flags.namespace, name, key }, remedy);
  }

  /** Else what exceptions let pass since the last renewal would be lost with the process. */
  async #tellUses(): Promise<void> {
    try {
      // The first for what rollouts counted, too.
      const isRollingOut =
        this.#rolloutTally.report() !== undefined || this.#breakGlassTally.report([]) !== undefined;
      for (
        let write = 0;
        ((write === 0 && isRollingOut) || this.#tally.hasNews) && write < mostLastWrites;
        write++
      )
        await this.#lease.publish();
    } catch (error) {
      this.#parts.logger.warn(
        { err: error },
        "what was counted in the last seconds, of exceptions and rollouts, goes uncounted",
      );
    }
  }

  #useLeaves(material: TlsMaterial): void {
    const { serving, candidate } = material;
    this.#listeners?.follow(material);
    this.#metrics.reloads.inc({ result: "loaded" });
    this.#metrics.notAfter.set({ leaf: "serving" }, serving.notAfterMs / 1000);
    if (candidate === undefined) this.#metrics.notAfter.remove({ leaf: "candidate" });
    else this.#metrics.notAfter.set({ leaf: "candidate" }, candidate.notAfterMs / 1000);
    this.#parts.logger.info(
      {
        serving: serving.fingerprint,
        ...(candidate === undefined ? {} : { candidate: candidate.fingerprint }),
      },
      "certificates loaded",
    );
    this.#firstLeaf.resolve();
    this.#changed();
  }

  /** Before the listeners are open nothing is served, and a report of it would be untrue. */
  #changed(): void {
    if (this.#listeners?.areOpen === true) this.#lease.changed();
  }

  /** The Lease tells of it, not for each request. */
  #counted(): void {
    this.#countsTimer ??= this.#parts.clock.setTimeout(() => {
      this.#countsTimer = undefined;
      this.#changed();
    }, tellCountsMs);
  }

  #report() {
    const material = this.#certificates.current;
    const set = this.#policies.current;
    return {
      ...this.#tally.report(),
      rollouts: this.#rolloutTally.report(),
      breakGlasses: this.#breakGlassTally.report(
        this.#breakGlasses.open.map(({ metadata }) => metadata.uid ?? ""),
      ),
      ...(set === undefined
        ? {}
        : {
            policySetDigest: set.digest,
            keptPolicies: formatKeptPolicies(set.kept),
            policyProblems: formatPolicyProblems([
              ...this.#lookedAt.problems(set),
              ...this.#outdatedBundles(set),
              ...notJudged(set),
              ...this.#decisions.problems,
            ]),
          }),
      ...(material === undefined
        ? {}
        : { servingLeaf: material.serving.fingerprint, servingLeafNotAfterMs: material.serving.notAfterMs }),
      ...(material?.candidate === undefined ? {} : { candidateLeaf: material.candidate.fingerprint }),
    };
  }

  /** Policies that are judged by an older bundle than there is. */
  #outdatedBundles({ policies }: PolicySet): PolicyProblem[] {
    return policies.flatMap(({ name, source }) => {
      const message = this.#rego.outdated(source.spec);
      return message === undefined ? [] : [{ policy: name, reason: BUNDLE_FAILED, message }];
    });
  }

  /** `latest` means the server's version, which an upgrade of the cluster changes. */
  async #followServerVersion(): Promise<void> {
    const { client, clock, logger } = this.#parts;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await delay(clock, serverVersionMs, signal);
        const { minor } = await client.serverVersion({ signal });
        if (minor === this.#serverMinor) continue;
        logger.info({ from: this.#serverMinor, to: minor }, "the API server's version changed");
        this.#serverMinor = minor;
        this.#policies.rebuild();
      } catch (error) {
        if (!signal.aborted) logger.debug({ err: error }, "the API server's version could not be read");
      }
    }
  }

  async #serveHealth(): Promise<void> {
    const { flags, logger } = this.#parts;
    if (flags.healthBindAddress === undefined) return;
    const { host, port } = flags.healthBindAddress;
    this.#health = createHealthServer(this.#checks, logger);
    this.#health.listen({ port, ...(host === undefined ? {} : { host }) });
    await once(this.#health, "listening");
  }
}

const byNamespace = { namespace: ({ metadata }: KubeObject) => [metadata.namespace ?? ""] };

/** At the end: enough for all that a tally holds. */
const mostLastWrites = 64;

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** As `work`, but rejects as soon as the signal aborts. */
async function race<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = untilAborted(signal).then(() => Promise.reject<T>(signal.reason));
  return Promise.race([work, aborted]);
}

/** Policies that the API server is about to evaluate, and that nobody can judge by until then. */
function notJudged({ policies }: PolicySet): PolicyProblem[] {
  return policies.flatMap(({ name, notJudged: message }) =>
    message === undefined ? [] : [{ policy: name, reason: NOT_UNDERSTOOD, message }],
  );
}
