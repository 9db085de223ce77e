import {
  type Applicable,
  type Client,
  Informer,
  isNotFound,
  type KubeObject,
  type Logger,
  type ResourceType,
  refusalOf,
  TokenBucket,
} from "@shieldx/controller-runtime";
import { ReportType } from "../../kinds.ts";
import type { OperatorMetrics } from "../../metrics.ts";
import { type Obstacles, REPORTS_SUBJECT } from "../../obstacles.ts";
import type { AuditIndex } from "./audit-index.ts";
import type { AuditedObject } from "./audited-object.ts";
import { REPORT_FIELD_MANAGER, REPORT_SELECTOR, reportDigest, reportedKey } from "./report.ts";
import { assignPlaces, type PlaceLimits, type ReportPlaces } from "./report-places.ts";
import { idOf, planReports, type WantedReport, WantedReports, type Written } from "./report-plan.ts";
import type { ResultLimits } from "./report-results.ts";

/** How often it is looked whether the Report kind was installed meanwhile. */
const DETECT_EVERY_MS = 30_000;
/** Reasons for which one report is refused and the next may be taken. */
const CONCERNS_ONE: ReadonlySet<string> = new Set([
  "NamespaceTerminating",
  "NamespaceMissing",
  "ObjectTooLarge",
  "RefusedByServer",
]);

export type ReportLimits = PlaceLimits & ResultLimits;

export interface ReportWriterOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly obstacles: Obstacles;
  readonly now: () => number;
  readonly monotonicNow: () => number;
  readonly limits: ReportLimits;
  readonly writesPerSecond: number;
}

/** What is kept of a report in the cache: of a thousand there are tens of MiB. */
type KnownReport = KubeObject & { readonly digest: string; readonly key: string | undefined };

/** What follows from who has a place now. */
export interface PlacesNews {
  /** Policies of which another number of objects has no report. */
  readonly policies: readonly string[];
  /** Objects that are to be judged again, for it was not kept what their reports say. */
  readonly unknown: readonly AuditedObject[];
}

/**
 * Keeps a Report for each of so many offending objects and one for each namespace that has more, where the openreports.io
 * kinds are installed. Writes what changed and nothing else, so many a second and no more.
 */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #bucket: TokenBucket;
  readonly #wanted: WantedReports;
  readonly #written = new Map<string, Written>();
  #informer: Informer<KnownReport> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #hasLooked = false;
  /** undefined while there are no Reports. */
  #places: ReportPlaces | undefined;
  #isUnassigned = true;
  #isDirty = true;
  /** Nothing is tried before, because the API server refused. */
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#wanted = new WantedReports(options.limits);
    const { writesPerSecond } = options;
    this.#bucket = new TokenBucket(writesPerSecond, 10 * writesPerSecond, options.monotonicNow());
  }

  /** How many objects have no Report of their own of those that break the policy; undefined where there are no Reports. */
  omitted(policy: string, index: AuditIndex): number | undefined {
    if (this.#places === undefined) return undefined;
    return Math.max(0, index.namespaced(policy) - (this.#places.byPolicy.get(policy) ?? 0));
  }

  /** It is known whether there are Reports, and which. */
  get isSettled(): boolean {
    return this.#hasLooked && this.#informer?.hasSynced !== false;
  }

  /**
   * Decides who has a place; nothing is to be done where it returns undefined.
   * @param changed namespaces in which something else offends
   */
  assign(index: AuditIndex, changed: readonly string[]): PlacesNews | undefined {
    this.#wanted.namespacesChanged(changed);
    if (changed.length > 0) this.#isUnassigned = this.#isDirty = true;
    const informer = this.#informer;
    if (informer?.hasSynced !== true || !this.#isUnassigned) return undefined;
    this.#isUnassigned = false;
    const reports = informer.store.list();
    const held = reports.flatMap(({ key }) => key ?? []);
    const summed = new Set(
      reports.flatMap(({ metadata, key }) => (key === undefined ? (metadata.namespace ?? []) : [])),
    );
    const before = this.#places;
    this.#places = assignPlaces(index, [...(before?.objects ?? []), ...held], summed, this.#options.limits);
    const { objects, byPolicy, omitted } = this.#places;
    index.keepDetailsOf(objects);
    this.#options.metrics.auditReportsOmitted.set(omitted);
    const unknown = [...objects].flatMap((key) =>
      index.details(key) === undefined ? (index.get(key)?.object ?? []) : [],
    );
    if (before === undefined) return { policies: [...index.policies], unknown };
    const policies = [...new Set([...before.byPolicy.keys(), ...byPolicy.keys()])];
    return { policies: policies.filter((name) => before.byPolicy.get(name) !== byPolicy.get(name)), unknown };
  }

  /**
   * Brings reports in line with the index.
   * @throws ApiError other than what concerns a single report
   */
  async sync(index: AuditIndex, signal: AbortSignal): Promise<void> {
    const informer = this.#informer;
    if (informer === undefined || this.#places === undefined || !this.#isDirty) return;
    const nowMs = this.#options.monotonicNow();
    if (nowMs < this.#notBefore) return;
    this.#isDirty = false;
    const wanted = this.#wanted.of(index, this.#places);
    const existing = informer.store.list().map(({ metadata, digest }) => ({
      namespace: metadata.namespace ?? "",
      name: metadata.name,
      digest,
      resourceVersion: metadata.resourceVersion ?? "",
    }));
    this.#forgetWritten(wanted, nowMs);
    const plan = planReports(wanted, existing, this.#written, nowMs);
    this.#options.metrics.auditReports.set(existing.length);
    try {
      const isDone = await this.#carryOut(plan, signal);
      if (!isDone || plan.isOpen) this.#isDirty = true;
    } catch (error) {
      this.#isDirty = true;
      const obstacle = this.#options.obstacles.failed(REPORTS_SUBJECT, error, this.#options.now());
      this.#notBefore = this.#options.monotonicNow() + obstacle.retryAfterMs;
      return;
    }
    this.#options.obstacles.clear(REPORTS_SUBJECT);
  }

  /** Returns whether there were tokens for all of it. */
  async #carryOut(plan: ReturnType<typeof planReports>, signal: AbortSignal): Promise<boolean> {
    const { monotonicNow } = this.#options;
    for (const report of plan.remove) {
      if (signal.aborted || !this.#bucket.tryTake(monotonicNow())) return false;
      await this.#remove(report.namespace, report.name, signal);
    }
    for (const report of plan.write) {
      if (signal.aborted || !this.#bucket.tryTake(monotonicNow())) return false;
      await this.#write(report, signal);
    }
    return true;
  }

  async #write(wanted: WantedReport, signal: AbortSignal): Promise<void> {
    const { client, logger, metrics, monotonicNow } = this.#options;
    const report = wanted.make();
    if (report === undefined) return;
    let resourceVersion: string | undefined;
    try {
      metrics.auditReportWrites.inc({ operation: "write" });
      const stored = await client.apply(ReportType, report as unknown as Applicable<KubeObject>, {
        fieldManager: REPORT_FIELD_MANAGER,
        force: true,
        signal,
      });
      resourceVersion = stored.metadata.resourceVersion;
    } catch (error) {
      // The namespace is going away, or the installed kind has other rules: the other reports can still be written.
      if (!CONCERNS_ONE.has(refusalOf(error)?.reason ?? "")) throw error;
      logger.warn({ err: error, report: idOf(wanted) }, "report was not accepted");
    }
    this.#written.set(idOf(wanted), { digest: wanted.digest, resourceVersion, atMs: monotonicNow() });
  }

  async #remove(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    const { client, metrics, monotonicNow } = this.#options;
    try {
      metrics.auditReportWrites.inc({ operation: "delete" });
      await client.delete(ReportType, { namespace, name }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const gone = { digest: undefined, resourceVersion: undefined, atMs: monotonicNow() };
    this.#written.set(idOf({ namespace, name }), gone);
  }

  /** Of what is not wanted any more nothing is remembered once the cache must have shown it. */
  #forgetWritten(wanted: readonly WantedReport[], nowMs: number): void {
    const ids = new Set(wanted.map(idOf));
    for (const [id, { atMs }] of this.#written)
      if (!ids.has(id) && nowMs - atMs > 60_000) this.#written.delete(id);
  }

  /** The kind is optional: its absence is no error, and it may be installed at any time. Returns at once. */
  detect(signal: AbortSignal): void {
    const { client, logger, monotonicNow } = this.#options;
    if (this.#informer !== undefined || monotonicNow() - this.#lookedAt < DETECT_EVERY_MS) return;
    this.#lookedAt = monotonicNow();
    client
      .list(ReportType, { limit: 1, signal })
      .then(() => this.#watch(signal))
      .catch((error: unknown) => {
        if (signal.aborted || isNotFound(error)) return;
        logger.warn({ err: error }, "reports cannot be read; counts in the policies' status are unaffected");
      })
      .finally(() => {
        this.#hasLooked = true;
      });
  }

  #watch(signal: AbortSignal): void {
    const { client, logger } = this.#options;
    const informer = new Informer<KnownReport>({
      client,
      type: ReportType as ResourceType<KnownReport>,
      labelSelector: REPORT_SELECTOR,
      transform: known,
      logger,
    });
    this.#informer = informer;
    const dirty = (): void => {
      this.#isDirty = true;
    };
    informer.on({ added: dirty, updated: dirty, deleted: dirty });
    informer.start(signal).catch((error: unknown) => logger.error({ err: error }, "the report cache ended"));
  }
}

function known(report: KnownReport): KnownReport {
  const { apiVersion, kind, source, summary, scope, configuration, results } = report;
  const { name, namespace, uid, resourceVersion } = report.metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion },
    digest: reportDigest({ source, summary, scope, configuration, results }),
    key: reportedKey(report),
  } as KnownReport;
}
