/** Decisions over HTTP, as one replica offers them: what is served, who may ask, and the log. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  type Client,
  type Clock,
  delay,
  type Informer,
  type Logger,
  type Tracer,
} from "@shieldx/controller-runtime";
import type { PolicyProblem } from "@shieldx/crds";
import { type RegoPolicies, TimeShare } from "@shieldx/policy-engine";
import type { Registry } from "prom-client";
import packageJson from "../../package.json" with { type: "json" };
import type { RefusalTeller } from "../admission/refusals.ts";
import { admissionLogger } from "../decision-log/admission.ts";
import { EventBuffer } from "../decision-log/buffer.ts";
import { Chunks } from "../decision-log/chunks.ts";
import { DecisionLog } from "../decision-log/log.ts";
import { DecisionLogMetrics } from "../decision-log/metrics.ts";
import { send } from "../decision-log/upload.ts";
import { Uploader } from "../decision-log/uploader.ts";
import { CallerAccess } from "../decisions/access.ts";
import { decisionApi } from "../decisions/api.ts";
import { DecisionMetrics } from "../decisions/metrics.ts";
import type { ShieldPolicyObject } from "../names.ts";
import { BodyBudget, defaultBodyLimits } from "../server/body.ts";
import type { HttpRoutes } from "../server/http-routes.ts";
import type { DecisionLogFlags } from "./decision-flags.ts";
import type { WebhookFlags } from "./flags.ts";
import { ServedPolicies } from "./served-policies.ts";

export interface DecisionParts {
  readonly flags: Pick<WebhookFlags, "decisions" | "replicaName">;
  readonly policies: Informer<ShieldPolicyObject>;
  /** Admission's too, with the plans it keeps, one process at a time, and the bundles it holds. */
  readonly rego: RegoPolicies;
  /** What is served, or not, is otherwise than before. */
  readonly onChange: () => void;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly tracer?: Tracer | undefined;
}

const shareBurstMs = 500;
/** Of questions: an input is what one request of somebody's service is about. */
const bodyLimits = { ...defaultBodyLimits, largestBytes: 4 * 1024 * 1024, heldBytes: 32 * 1024 * 1024 };
/** What is left of the log at the end is sent for so long. */
const lastUploadMs = 5_000;
/** A replica becomes ready without what takes longer to compile: admission matters more. */
const longestFirstBuildMs = 15_000;

export class Decisions {
  readonly http: HttpRoutes;
  readonly #parts: DecisionParts;
  readonly #served: ServedPolicies;
  readonly #log: DecisionLog | undefined;
  readonly #stop = new AbortController();
  readonly #hurry = new AbortController();
  #uploading: Promise<void> = Promise.resolve();
  #uploader: Uploader | undefined;
  #ca: string | undefined;

  constructor(parts: DecisionParts) {
    this.#parts = parts;
    const { flags, client, clock, logger, registry, policies, tracer } = parts;
    this.#served = new ServedPolicies({
      policies,
      clock,
      logger,
      rego: parts.rego,
      onChange: parts.onChange,
    });
    const { log } = flags.decisions;
    this.#log = log.url !== undefined || log.toConsole ? this.#newLog(log) : undefined;
    this.http = decisionApi({
      source: () => this.#served.source,
      problem: () => this.#served.problem,
      access: new CallerAccess({ client, clock, logger, audience: flags.decisions.audience }),
      budget: new BodyBudget(bodyLimits),
      version: packageJson.version,
      metrics: new DecisionMetrics(registry),
      log: this.#log,
      share: new TimeShare(flags.decisions.sharePercent / 100, shareBurstMs, clock.monotonicNow()),
      newId: randomUUID,
      now: () => clock.now(),
      monotonicNow: () => performance.now(),
      tracer,
    });
  }

  /** Policies that ask to be served and are not, as they are written now. */
  get problems(): readonly PolicyProblem[] {
    return this.#served.problems;
  }

  /** Also tells the decision log, where that is wanted. */
  tellingLog(refusals: RefusalTeller): RefusalTeller {
    const log = this.#log;
    if (log === undefined || !this.#parts.flags.decisions.log.admission) return refusals;
    return admissionLogger(refusals, log, () => this.#parts.clock.now());
  }

  /** Resolves once what is served has been compiled, or that takes too long. @throws what reading the CA's file does */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, flags } = this.#parts;
    const { caFile } = flags.decisions.log;
    if (caFile !== undefined) this.#ca = await readFile(caFile, "utf8");
    if (this.#uploader !== undefined)
      this.#uploading = this.#uploader.run(this.#stop.signal, this.#hurry.signal);
    const enough = new AbortController();
    await Promise.race([
      this.#served.settled(),
      delay(clock, longestFirstBuildMs, AbortSignal.any([signal, enough.signal])).catch(() => undefined),
    ]);
    enough.abort(new Error("compiled"));
  }

  /** Sends what is left of the log. */
  async end(): Promise<void> {
    this.#served.stop();
    this.#stop.abort(new Error("the replica ends"));
    const enough = new AbortController();
    const hurried = delay(this.#parts.clock, lastUploadMs, enough.signal).then(
      () => this.#hurry.abort(new Error("the replica ends")),
      () => undefined,
    );
    await this.#uploading;
    enough.abort(new Error("all is sent"));
    await hurried;
  }

  #newLog(log: DecisionLogFlags): DecisionLog {
    const { registry, logger, flags } = this.#parts;
    const metrics = new DecisionLogMetrics(registry);
    const { url } = log;
    const buffer =
      url === undefined
        ? undefined
        : new EventBuffer({ events: log.bufferEvents, bytes: log.bufferBytes }, (reason, count) =>
            metrics.lost.inc({ reason }, count),
          );
    if (url !== undefined && buffer !== undefined)
      this.#uploader = this.#newUploader(log, url, buffer, metrics);
    return new DecisionLog({
      labels: { id: flags.replicaName, version: packageJson.version, ...log.labels },
      rules: log.mask,
      source: () => this.#served.source,
      unservedMask: () => this.#served.unservedMask,
      buffer,
      grown: () => this.#uploader?.grown(),
      write: log.toConsole ? (line) => process.stdout.write(line) : undefined,
      metrics,
      logger,
    });
  }

  #newUploader(log: DecisionLogFlags, url: URL, buffer: EventBuffer, metrics: DecisionLogMetrics): Uploader {
    const { clock, logger } = this.#parts;
    const { uploadBytes, intervalMs, longestRetryMs, tokenFile } = log;
    const token = async () =>
      tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
    return new Uploader({
      buffer,
      chunks: new Chunks(buffer, uploadBytes, () => metrics.lost.inc({ reason: "too-large" })),
      send: (body, signal) => send({ url, ca: this.#ca, token }, body, signal),
      intervalMs,
      longestRetryMs,
      clock,
      random: Math.random,
      metrics,
      logger,
    });
  }
}
