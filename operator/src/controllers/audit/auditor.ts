import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Client,
  type KubeObject,
  type Logger,
  readSecretText,
  refusalOf,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { effectiveBackground, type Gap, namespaceOfPolicy } from "@shieldx/crds";
import {
  type CompiledPolicy,
  HttpClient,
  ImageVerifier,
  isPolicyProblem,
  isTransient,
} from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import type { FindingsWriter } from "../../findings/findings-writer.ts";
import { asPolicy, type ShieldPolicyObject } from "../../kinds.ts";
import { auditSubject } from "../../obstacles.ts";
import type { AuditIndex } from "./audit-index.ts";
import { auditedObject } from "./audited-object.ts";
import { AuditCaches } from "./caches.ts";
import { AuditCalls } from "./calls.ts";
import { type AuditOfGap, writtenBetween } from "./gap-audit.ts";
import { judgeObject } from "./judge.ts";
import { cachedKinds, kindsToAudit, namingPolicies } from "./kinds.ts";
import { AuditLookedAt } from "./looked-at.ts";
import { type NamedKinds, NamedKindsFinder } from "./named-kinds.ts";
import type { ReportWriter } from "./report-writer.ts";
import { SlicedWork } from "./slices.ts";
import { type AuditStatus, auditStatus } from "./status.ts";
import { AuditStatusWriter } from "./status-writer.ts";

/** What the auditor reads besides the objects it judges. */
export interface AuditSources {
  policies(): readonly ShieldPolicyObject[];
  namespace(name: string): KubeObject | undefined;
}

export interface AuditorOptions {
  readonly operator: OperatorContext;
  readonly client: Client;
  readonly sources: AuditSources;
  readonly reports: ReportWriter | undefined;
  readonly index: AuditIndex;
  /** Of statuses; the reports' writer has its own limit. */
  readonly writesPerSecond: number;
  /** Keeps the record that the page shows. */
  readonly findings?: FindingsWriter | undefined;
  readonly logger: Logger;
  /** Longest time one slice keeps the event loop. */
  readonly sliceMs?: number;
  /** Shortest time between two writes of results. */
  readonly flushIntervalMs?: number;
}

/** How often the passing of time alone (an exception's end) is looked at, and the longest idle wait. */
const TICK_MS = 1000;
const SUBJECT = "audit results";
/** What one watch for a tenant may hold. */
const TENANT_MAX_BYTES = 4 * 2 ** 20;
/** How often kinds are looked for again that were not found, or that ShieldX may not read. */
const FIND_AGAIN_MS = 30_000;
/** How long nothing is written after a start while a policy is still compiled, or kinds or Reports are looked for. */
const WHOLE_WITHIN_MS = 60_000;

/**
 * The background audit: judges what exists, again whenever an object, its namespace, a policy or an exception changes,
 * and keeps counts, worst offenders and reports true. Runs on the leader only.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #index: AuditIndex;
  readonly #work = new SlicedWork();
  readonly #caches: AuditCaches;
  readonly #lookedAt: AuditLookedAt;
  /** Apart: what tenants look at is not waited for. */
  readonly #tenantsLookAt: AuditLookedAt;
  readonly #calls: AuditCalls;
  /** Identity of each audited policy at its last full pass, and when that pass ended. */
  readonly #scans = new Map<string, { identity: string; atMs: number | undefined }>();
  readonly #statuses: AuditStatusWriter;
  #isPassWanted = true;
  #isPassRunning = false;
  #passRevision = -1;
  readonly #finder: NamedKindsFinder;
  #named: NamedKinds = { ofPolicy: new Map(), refused: new Map() };
  #isFinding = false;
  /** They were found once, as far as there are such. */
  #hasLookedForKinds = false;
  #findAgainAt = Number.POSITIVE_INFINITY;
  /** Exceptions that end next, and that ended last: outside of that time others count, also where a clock is put back. */
  #exceptionsHold = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
  #wasWhole = false;
  #wake: (() => void) | undefined;
  /** Set while it runs. */
  #signal: AbortSignal | undefined;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#index = options.index;
    this.#statuses = new AuditStatusWriter({
      client: options.client,
      monotonicNow: () => options.operator.clock.monotonicNow(),
      writesPerSecond: options.writesPerSecond,
    });
    this.#finder = new NamedKindsFinder(options.client, options.operator.namespace);
    const { client: reader, logger } = options;
    const looking = { client: reader, logger, namespace: options.operator.namespace };
    const events = {
      progress: () => {
        this.#tellRefused();
        this.policiesChanged();
      },
      changed: () => this.#wakeUp(),
    };
    this.#lookedAt = new AuditLookedAt(looking, events);
    this.#tenantsLookAt = new AuditLookedAt({ ...looking, maxBytes: TENANT_MAX_BYTES }, events);
    const { clock, metrics } = options.operator;
    const client = new HttpClient({
      monotonicNow: () => clock.monotonicNow(),
      onCall: (result, seconds) => metrics.auditCalls.observe({ result }, seconds),
    });
    const images = new ImageVerifier({
      send: new HttpClient({ monotonicNow: () => clock.monotonicNow() }).send,
      readSecret: (name, key) =>
        readSecretText(
          options.client,
          { namespace: options.operator.namespace, name, key },
          "list it in rbac.imageSecrets of the chart",
        ),
      monotonicNow: () => clock.monotonicNow(),
      now: () => clock.now(),
      onVerified: (result, seconds) => metrics.auditImages.observe({ result }, seconds),
    });
    this.#calls = new AuditCalls({ send: client.send, verify: images.verify }, (item) => {
      this.#work.addBackground(item);
      this.#wakeUp();
    });
    this.#caches = new AuditCaches(options.client, options.logger, {
      changed: (type, key) => this.#enqueue(type, key),
      deleted: (key) => {
        this.#index.delete(key);
        this.#wakeUp();
      },
    });
  }

  /** A policy or an exception changed. */
  policiesChanged(): void {
    this.#isPassWanted = true;
    this.#wakeUp();
  }

  /** Labels of a namespace changed: what is in it may be judged otherwise. */
  namespaceChanged(name: string): void {
    for (const { type, key } of this.#caches.keys(name)) this.#work.addBackground(`${type} ${key}`);
    this.#wakeUp();
  }

  /**
   * What was written in a time in which the policy was not enforced, and breaks it: "later" while there is more to judge, "never"
   * where the policy is not held against what exists.
   */
  async ofGap(
    policy: string,
    { from, until }: Pick<Gap, "from" | "until">,
  ): Promise<AuditOfGap | "later" | "never"> {
    const { client, operator, sources } = this.#options;
    const object = sources.policies().find(({ metadata }) => metadata.name === policy);
    if (object === undefined || effectiveBackground(asPolicy(object).spec) !== "audit") return "never";
    const isThrough = this.#wasWhole && !this.#isPassRunning && !this.#hasWork;
    const signal = this.#signal;
    if (!isThrough || signal === undefined || !this.#isSynced || !this.#scans.has(policy)) return "later";
    const offenders = [...this.#index.offendersOf(policy)].flatMap((audited) => {
      const place = this.#caches.find(audited);
      const cached = place && this.#caches.get(place.type, place.key);
      return cached === undefined ? [] : [{ type: cached.type, object: audited }];
    });
    const [fromMs, untilMs] = [
      Date.parse(from),
      until === undefined ? operator.clock.now() : Date.parse(until),
    ];
    return writtenBetween(client, offenders, { fromMs, untilMs }, signal);
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { sliceMs = 5, flushIntervalMs = 1000, operator, logger } = this.#options;
    this.#signal = signal;
    const stop = () => this.#wakeUp();
    signal.addEventListener("abort", stop, { once: true });
    let flushedAt = Number.NEGATIVE_INFINITY;
    const wholeBy = operator.clock.monotonicNow() + WHOLE_WITHIN_MS;
    while (!signal.aborted) {
      this.#beginPassIfNeeded(signal);
      this.#doSlice(sliceMs);
      operator.metrics.auditPending.set(this.#work.size + this.#calls.size);
      const isBusy = this.#hasWork;
      const sinceFlush = operator.clock.monotonicNow() - flushedAt;
      this.#options.reports?.detect(signal);
      this.#wasWhole ||= operator.clock.monotonicNow() >= wholeBy || (!isBusy && this.#isWhole);
      // While a pass runs, counts would only show how far it has come.
      if (!isBusy && this.#wasWhole && this.#isSynced && sinceFlush >= flushIntervalMs) {
        flushedAt = operator.clock.monotonicNow();
        // Not sooner: one that changes all the time must not have everything judged all the time.
        this.#judgeByWhatChanged();
        try {
          await this.#flush(signal);
          operator.obstacles.clear(SUBJECT);
        } catch (error) {
          if (signal.aborted) break;
          if (refusalOf(error) === undefined)
            logger.warn({ err: error }, "audit results could not be written; will try again");
          else {
            const { retryAfterMs } = operator.obstacles.failed(SUBJECT, error, operator.clock.now());
            flushedAt += Math.max(0, retryAfterMs - flushIntervalMs);
          }
        }
      }
      if (isBusy) await nextTurn();
      else await this.#idle(Math.max(10, Math.min(TICK_MS, flushIntervalMs)), signal);
    }
    signal.removeEventListener("abort", stop);
  }

  #judgeByWhatChanged(): void {
    const changes = [...this.#lookedAt.takeChanges(), ...this.#tenantsLookAt.takeChanges()];
    for (const { namespace, concerns } of changes) {
      for (const { type, key } of this.#caches.keys(namespace)) {
        const cached = this.#caches.get(type, key);
        if (cached !== undefined && concerns(cached.type)) this.#work.addBackground(`${type} ${key}`);
      }
    }
  }

  #enqueue(type: string, key: string): void {
    const item = `${type} ${key}`;
    if (this.#caches.isSynced) this.#work.addLive(item);
    else this.#work.addBackground(item);
    this.#wakeUp();
  }

  #beginPassIfNeeded(signal: AbortSignal): void {
    const { operator, sources } = this.#options;
    const now = operator.clock.now();
    if (now >= this.#exceptionsHold.untilMs || now < this.#exceptionsHold.fromMs) this.#isPassWanted = true;
    if (operator.clock.monotonicNow() >= this.#findAgainAt) this.#findNamedKinds(signal);
    if (operator.world.revision !== this.#passRevision) this.#isPassWanted = true;
    if (!this.#isPassWanted) return;
    this.#isPassWanted = false;
    this.#passRevision = operator.world.revision;
    const ends = operator.world.exceptions().map((exception) => Date.parse(exception.spec.expiresAt));
    this.#exceptionsHold = heldAround(ends, now);
    const { policies } = operator.world.current();
    const specs = policies.map((policy) => policy.source.spec);
    const judgedWhole = kindsToAudit(specs, "images");
    this.#caches.hold(cachedKinds(kindsToAudit(specs), judgedWhole, this.#named.ofPolicy), signal);
    const isOfTenant = ({ name }: CompiledPolicy) => namespaceOfPolicy(name) !== undefined;
    this.#lookedAt.hold(
      policies.filter((policy) => !isOfTenant(policy)),
      signal,
    );
    this.#tenantsLookAt.hold(policies.filter(isOfTenant), signal);
    this.#findNamedKinds(signal);
    this.#noteScans(sources.policies());
    for (const { type, key } of this.#caches.keys()) this.#work.addBackground(`${type} ${key}`);
    this.#isPassRunning = true;
  }

  /** Kinds beyond the built-in ones are the API server's to tell; what it tells begins another pass. */
  #findNamedKinds(signal: AbortSignal): void {
    const { operator, logger } = this.#options;
    const policies = namingPolicies(operator.world.current().policies);
    if (this.#isFinding) return;
    this.#findAgainAt = Number.POSITIVE_INFINITY;
    if (policies.length === 0 && this.#named.ofPolicy.size === 0) {
      this.#hasLookedForKinds = true;
      return;
    }
    this.#isFinding = true;
    const revision = operator.world.revision;
    const findAgain = (): void => {
      this.#findAgainAt = operator.clock.monotonicNow() + FIND_AGAIN_MS;
    };
    this.#finder
      .find(policies, signal)
      .then((named) => {
        const isNew = keysOf(named) !== keysOf(this.#named);
        this.#named = named;
        this.#isFinding = false;
        this.#hasLookedForKinds = true;
        this.#tellRefused();
        findAgain();
        if (isNew || operator.world.revision !== revision) this.policiesChanged();
      })
      .catch((error: unknown) => {
        this.#isFinding = false;
        if (signal.aborted) return;
        logger.warn({ err: error }, "kinds to audit could not be looked up; will try again");
        findAgain();
      });
  }

  #tellRefused(): void {
    const { obstacles, clock, world } = this.#options.operator;
    const blind = new Map([...this.#lookedAt.refused(), ...this.#tenantsLookAt.refused()]);
    for (const { name } of namingPolicies(world.current().policies)) {
      const refusal = this.#named.refused.get(name) ?? blind.get(name);
      if (refusal === undefined || !this.#scans.has(name)) obstacles.clear(auditSubject(name));
      else obstacles.refused(auditSubject(name), refusal, clock.now());
    }
  }

  /** Which policies this pass is a new scan for; the others keep the time of theirs. */
  #noteScans(policies: readonly ShieldPolicyObject[]): void {
    const names = new Set<string>();
    for (const policy of policies) {
      const { name, uid, generation } = policy.metadata;
      this.#statuses.changed([name]);
      if (effectiveBackground(asPolicy(policy).spec) !== "audit") continue;
      names.add(name);
      const identity = `${uid}/${generation}`;
      const before = this.#scans.get(name);
      if (before?.identity === identity) continue;
      // What an earlier leader wrote about this very version still stands.
      const isKnown = policy.status?.observedGeneration === generation;
      const written = isKnown ? policy.status?.counts?.lastScanTime : undefined;
      this.#scans.set(name, {
        identity,
        atMs: before === undefined && written !== undefined ? Date.parse(written) : undefined,
      });
    }
    for (const name of this.#scans.keys()) {
      if (names.has(name)) continue;
      this.#scans.delete(name);
      this.#options.operator.metrics.auditViolations.remove({ policy: name });
      this.#options.operator.obstacles.clear(auditSubject(name));
    }
  }

  #doSlice(budgetMs: number): void {
    const { operator, sources } = this.#options;
    if (!this.#hasWork) return;
    const set = operator.world.current();
    const startedAt = operator.clock.monotonicNow();
    const now = operator.clock.now();
    this.#work.runSlice(
      (item) => {
        const space = item.indexOf(" ");
        const cached = this.#caches.get(item.slice(0, space), item.slice(space + 1));
        if (cached === undefined) return this.#calls.forget(item);
        const { type, object } = cached;
        const namespace = sources.namespace(object.metadata.namespace ?? "");
        operator.metrics.auditJudged.inc();
        const attempt = this.#calls.attempt(item, now);
        const { calls, images } = attempt;
        const lookedAt = {
          ...this.#lookedAt.context,
          calls,
          images,
          tenants: this.#tenantsLookAt.context,
        };
        const judgement = judgeObject(set, type, object, namespace, attempt.now, lookedAt);
        if ("asks" in judgement) return this.#calls.ask(item, attempt, judgement.asks);
        this.#calls.forget(item);
        if (judgement.errors > 0) operator.metrics.auditErrors.inc(judgement.errors);
        this.#index.set(auditedObject(object), judgement);
      },
      () => operator.clock.monotonicNow() - startedAt,
      budgetMs,
    );
  }

  async #flush(signal: AbortSignal): Promise<void> {
    const { operator, sources, reports, findings } = this.#options;
    const compiling = this.#compiling;
    if (this.#isPassRunning && this.#calls.size === 0 && !this.#isFinding) {
      this.#isPassRunning = false;
      const now = operator.clock.now();
      for (const [name, scan] of this.#scans) if (!compiling.has(name)) scan.atMs ??= now;
      operator.metrics.auditPassEnded.set(now / 1000);
    }
    const { policies, namespaces, exceptions } = this.#index.takeChanges();
    // Until the first time it is all there is, nobody is told that an exception is not needed.
    if (operator.exceptionUses.isAudited || this.#knowsExceptions)
      operator.exceptionUses.audited(this.#index.exceptions, exceptions);
    if (namespaces.length > 0) findings?.markChanged();
    this.#statuses.changed(policies);
    const news = reports?.assign(this.#index, namespaces);
    if (news !== undefined) {
      this.#statuses.changed(news.policies);
      for (const object of news.unknown) {
        const found = this.#caches.find(object);
        if (found !== undefined) this.#work.addBackground(`${found.type} ${found.key}`);
      }
    }
    try {
      await this.#statuses.write(sources.policies(), (name) => this.#statusOf(name, compiling), signal);
    } finally {
      await reports?.sync(this.#index, signal);
      await findings?.sync(this.#index, signal);
    }
  }

  #statusOf(name: string, compiling: ReadonlySet<string>): AuditStatus | "wait" {
    const { operator, reports } = this.#options;
    const scan = this.#scans.get(name);
    if (scan === undefined) return {};
    // Counts of none would look as if all were well.
    if (scan.atMs === undefined && (this.#isFinding || compiling.has(name))) return "wait";
    const audit = this.#index.policy(name);
    // How many policies tenants have is not the platform's to say: their status tells.
    if (namespaceOfPolicy(name) === undefined)
      operator.metrics.auditViolations.set({ policy: name }, audit.violating);
    return auditStatus(audit, scan.atMs, reports?.omitted(name, this.#index));
  }

  /** Policies of which no version is known yet, but will be. */
  get #compiling(): ReadonlySet<string> {
    const { problems } = this.#options.operator.world.current();
    const passing = problems.filter(
      ({ kind, error, keepsLastGood }) =>
        isPolicyProblem({ kind }) && !keepsLastGood && isTransient(error.code),
    );
    return new Set(passing.map(({ name }) => name));
  }

  /** What exists was held against every policy: what is not found until then may be there all the same. */
  get #isWhole(): boolean {
    const isKnown = this.#hasLookedForKinds && !this.#isFinding && this.#compiling.size === 0;
    return isKnown && this.#calls.size === 0 && this.#options.reports?.isSettled !== false;
  }

  /** Nothing is judged while what policies look at is only about to be known. */
  get #hasWork(): boolean {
    return this.#work.size > 0 && this.#lookedAt.isSettled;
  }

  /** Whether every policy that an exception names was held against what exists, as far as it ever will be. */
  get #knowsExceptions(): boolean {
    if (this.#isFinding || !this.#hasLookedForKinds) return false;
    const { world } = this.#options.operator;
    return [...this.#compiling].every((name) => world.exceptionsOf(name).length === 0);
  }

  get #isSynced(): boolean {
    return this.#caches.isSynced && this.#lookedAt.isSettled;
  }

  #wakeUp(): void {
    this.#wake?.();
  }

  #idle(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#wake = done;
    });
  }
}

/** Equal for the same kinds of the same policies. */
function keysOf({ ofPolicy }: NamedKinds): string {
  return JSON.stringify([...ofPolicy].map(([policy, types]) => [policy, types.map(resourceTypeKey)]));
}

/** The time around `now` in which the same exceptions hold. */
export function heldAround(ends: readonly number[], now: number): { fromMs: number; untilMs: number } {
  let [fromMs, untilMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const end of ends) {
    if (end <= now) fromMs = Math.max(fromMs, end);
    else if (end > now) untilMs = Math.min(untilMs, end);
  }
  return { fromMs, untilMs };
}
