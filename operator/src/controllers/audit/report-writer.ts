import {
  type Applicable,
  type Client,
  Informer,
  isForbidden,
  isNotFound,
  type KubeObject,
  type Logger,
  refusalOf,
} from "@shieldx/controller-runtime";
import { ReportType } from "../../kinds.ts";
import type { OperatorMetrics } from "../../metrics.ts";
import { type Obstacles, REPORTS_SUBJECT } from "../../obstacles.ts";
import type { AuditIndex } from "./audit-index.ts";
import {
  DEFAULT_REPORT_LIMITS,
  planReports,
  REPORT_FIELD_MANAGER,
  REPORT_SELECTOR,
  type Report,
  type ReportLimits,
  reportContent,
} from "./report.ts";

/** How often it is looked whether the Report kind was installed meanwhile. */
const DETECT_EVERY_MS = 30_000;
/** Most requests in one round; the rest follows in the next, about a second later. */
const REQUESTS_PER_ROUND = 100;
/** Reasons for which one report is refused and the next may be taken. */
const CONCERNS_ONE: ReadonlySet<string> = new Set([
  "NamespaceTerminating",
  "NamespaceMissing",
  "ObjectTooLarge",
  "RefusedByServer",
]);

export interface ReportWriterOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly obstacles: Obstacles;
  readonly now: () => number;
  readonly monotonicNow: () => number;
  readonly limits?: ReportLimits;
}

/** Keeps one Report for each offending object, where the openreports.io kinds are installed. */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  #informer: Informer | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isDirty = true;
  /** Nothing is tried before, because the API server refused. */
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
  }

  /** Findings changed: the next sync has something to look at. */
  markChanged(): void {
    this.#isDirty = true;
  }

  /**
   * Brings reports in line with the index. Writes what changed and nothing else.
   * @throws ApiError other than what concerns a single report
   */
  async sync(index: AuditIndex, signal: AbortSignal): Promise<void> {
    const informer = await this.#detect(signal);
    if (informer?.hasSynced !== true || !this.#isDirty) return;
    if (this.#options.monotonicNow() < this.#notBefore) return;
    const { limits = DEFAULT_REPORT_LIMITS, metrics } = this.#options;
    // A Report lives in a namespace: what has none is in counts and worst offenders only.
    const offenders = [...index.uids()]
      .flatMap((uid) => index.get(uid) ?? [])
      .filter(({ object }) => object.namespace !== "");
    const existing = informer.store.list().map((report) => ({
      namespace: report.metadata.namespace ?? "",
      name: report.metadata.name,
      content: reportContent({ results: report.results, summary: report.summary, scope: report.scope }),
    }));
    const plan = planReports(offenders, existing, limits);
    metrics.auditReports.set(existing.length);
    metrics.auditReportsOmitted.set(plan.withoutReport);
    this.#isDirty = plan.remove.length + plan.write.length > 0;
    try {
      await this.#carryOut(plan, signal);
    } catch (error) {
      const obstacle = this.#options.obstacles.failed(REPORTS_SUBJECT, error, this.#options.now());
      this.#notBefore = this.#options.monotonicNow() + obstacle.retryAfterMs;
      return;
    }
    this.#options.obstacles.clear(REPORTS_SUBJECT);
  }

  async #carryOut(plan: ReturnType<typeof planReports>, signal: AbortSignal): Promise<void> {
    let requests = 0;
    for (const { namespace, name } of plan.remove) {
      if (signal.aborted || requests++ >= REQUESTS_PER_ROUND) return;
      await this.#remove(namespace, name, signal);
    }
    for (const report of plan.write) {
      if (signal.aborted || requests++ >= REQUESTS_PER_ROUND) return;
      await this.#write(report, signal);
    }
  }

  async #write(report: Report, signal: AbortSignal): Promise<void> {
    const { client, logger } = this.#options;
    try {
      await client.apply(ReportType, report as unknown as Applicable<KubeObject>, {
        fieldManager: REPORT_FIELD_MANAGER,
        force: true,
        signal,
      });
    } catch (error) {
      // The namespace is going away, or the installed kind has other rules: the other reports can still be written.
      const reason = refusalOf(error)?.reason ?? "";
      if (!isNotFound(error) && !CONCERNS_ONE.has(reason)) throw error;
      logger.warn({ err: error, report: report.metadata.name }, "report was not accepted");
    }
  }

  async #remove(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.client.delete(ReportType, { namespace, name }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** The kind is optional: its absence is no error, and it may be installed at any time. */
  async #detect(signal: AbortSignal): Promise<Informer | undefined> {
    if (this.#informer !== undefined) return this.#informer;
    const { client, logger, monotonicNow } = this.#options;
    if (monotonicNow() - this.#lookedAt < DETECT_EVERY_MS) return undefined;
    this.#lookedAt = monotonicNow();
    try {
      await client.list(ReportType, { limit: 1, signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!isForbidden(error)) throw error;
      logger.warn({ err: error }, "reports cannot be read; counts in the policies' status are unaffected");
      return undefined;
    }
    const informer = new Informer({ client, type: ReportType, labelSelector: REPORT_SELECTOR, logger });
    this.#informer = informer;
    const dirty = () => this.markChanged();
    informer.on({ added: dirty, updated: dirty, deleted: dirty });
    informer.start(signal).catch((error: unknown) => logger.error({ err: error }, "the report cache ended"));
    await informer.synced(signal);
    return informer;
  }
}
