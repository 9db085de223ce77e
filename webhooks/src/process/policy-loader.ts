import { setImmediate as nextTurn } from "node:timers/promises";
import type { Informer, Logger } from "@shieldx/controller-runtime";
import {
  asShieldPolicy,
  formatKeptPolicies,
  judgesSoFar,
  type NamespacedShieldPolicy,
  type ShieldException,
  type ShieldPolicy,
  stagingKey,
  versionSpecs,
} from "@shieldx/crds";
import {
  buildPolicySet,
  type PolicySet,
  type PolicySetInput,
  preparePolicies,
  type RegoPolicies,
  withinBound,
} from "@shieldx/policy-engine";
import type { AdmissionMetrics } from "../admission/metrics.ts";
import type { NamespacedShieldPolicyObject, ShieldExceptionObject, ShieldPolicyObject } from "../names.ts";

export interface PolicyLoaderParts {
  readonly policies: Informer<ShieldPolicyObject>;
  readonly tenantPolicies: Informer<NamespacedShieldPolicyObject>;
  readonly exceptions: Informer<ShieldExceptionObject>;
  readonly serverMinor: () => number;
  readonly neverJudged: readonly string[];
  readonly rego: Pick<RegoPolicies, "want" | "state" | "isSettled" | "onChange">;
  readonly metrics: AdmissionMetrics;
  readonly logger: Logger;
  /** After each swap for a set that is another, or holds other policies in an older version. */
  readonly onSwap: (set: PolicySet) => void;
  /** After every swap: stages may be others in a set of the same policies. */
  readonly onBuilt?: (set: PolicySet) => void;
  /** Whether what these sets need besides themselves is at hand; if not, `resume` is to be called when it may be. */
  readonly prepare?: (...sets: readonly PolicySet[]) => boolean;
  /** Changes within this time are built together. */
  readonly coalesceMs?: number;
  /** Of tenants: nobody is to keep a replica busy by changing a policy again and again. */
  readonly coalesceTenantsMs?: number;
}

/**
 * Keeps the policy set in step with the cluster: whatever changes, a whole new immutable set is built and one reference
 * swapped; requests under way finish on the one they began with.
 */
export class PolicyLoader {
  readonly #parts: PolicyLoaderParts;
  #set: PolicySet | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Beside it: a change of the cluster's policies does not wait for it. */
  #tenantTimer: NodeJS.Timeout | undefined;
  /** Something has changed since the last build began. */
  #isOutdated = false;
  #isBuilding = false;
  #isStopped = false;
  /** How long the last build took. */
  #lastBuildMs = 0;
  readonly #reported = new Set<string>();
  /** Since when a set waits for what it needs, by `performance.now`. */
  #waitingSince: number | undefined;

  constructor(parts: PolicyLoaderParts) {
    this.#parts = parts;
    const changed = () => this.rebuildSoon();
    parts.rego.onChange(changed);
    for (const informer of [parts.policies, parts.exceptions]) {
      informer.on({
        added: changed,
        // Of the status only who enforces, and in which stage, matters: the webhook judges until the API server has taken over.
        updated: (before, after) => {
          if (isRelevant(before, after)) changed();
        },
        deleted: changed,
      });
    }
    const tenantChanged = () => this.#rebuildForTenants();
    parts.tenantPolicies.on({
      added: tenantChanged,
      updated: (before, after) => {
        if (isRelevant(before, after)) tenantChanged();
      },
      deleted: tenantChanged,
    });
  }

  /**
   * The set in force; undefined until both caches have been filled once, and what is in Rego compiled: a replica that
   * begins with some of the policies would let pass what the others refuse.
   */
  get current(): PolicySet | undefined {
    return this.#set;
  }

  rebuildSoon(): void {
    this.#timer ??= setTimeout(() => this.rebuild(), this.#parts.coalesceMs ?? 5);
  }

  #rebuildForTenants(): void {
    const { coalesceTenantsMs = 200 } = this.#parts;
    const waitMs = Math.max(coalesceTenantsMs, this.#lastBuildMs * pausesForBuild);
    this.#tenantTimer ??= setTimeout(() => this.rebuild(), waitMs);
  }

  /** What a new set waits for may have come. */
  resume(): void {
    if (this.#waitingSince !== undefined) this.rebuildSoon();
  }

  /** Begins to build, if there is anything to build from, and swaps when that is done: requests are answered meanwhile. */
  rebuild(): void {
    this.#clearTimers();
    const { policies, tenantPolicies, exceptions } = this.#parts;
    if (!policies.hasSynced || !tenantPolicies.hasSynced || !exceptions.hasSynced) return;
    this.#isOutdated = true;
    if (!this.#isBuilding) void this.#build();
  }

  /** Goes on for as long as something changes meanwhile; each round swaps, so that no change waits for the last one. */
  async #build(): Promise<void> {
    this.#isBuilding = true;
    while (this.#isOutdated && !this.#isStopped) {
      this.#isOutdated = false;
      const startedAt = performance.now();
      const input = this.#input();
      const { rego } = this.#parts;
      rego.want(input.policies.flatMap(versionSpecs));
      // The first set is whole or not at all.
      if (this.#set === undefined && !rego.isSettled) continue;
      const prepared = await preparePolicies(input, nextTurn);
      if (this.#isStopped) break;
      const set = buildPolicySet({ ...input, prepared });
      this.#lastBuildMs = performance.now() - startedAt;
      if (this.#isReady(set, startedAt)) this.#swap(set, startedAt);
    }
    this.#isBuilding = false;
  }

  #input(): PolicySetInput {
    const { policies, tenantPolicies, exceptions, rego } = this.#parts;
    return {
      ...withinBound([
        ...policies.store.list().map((object) => object as unknown as ShieldPolicy),
        ...tenantPolicies.store
          .list()
          .map((object) => asShieldPolicy(object as unknown as NamespacedShieldPolicy)),
      ]),
      exceptions: exceptions.store.list().map((object) => object as unknown as ShieldException),
      serverMinor: this.#parts.serverMinor(),
      previous: this.#set,
      neverJudged: this.#parts.neverJudged,
      rego: rego.state,
      keepsStages: true,
    };
  }

  #swap(set: PolicySet, startedAt: number): void {
    const { metrics, logger } = this.#parts;
    const isSame = this.#set?.digest === set.digest;
    const keepsSame = formatKeptPolicies(this.#set?.kept ?? []) === formatKeptPolicies(set.kept);
    this.#set = set;
    this.#parts.prepare?.(set);
    metrics.rebuilds.inc();
    metrics.policies.set(set.policies.length);
    metrics.problems.set(set.problems.length);
    metrics.keepPolicies(set.policies);
    this.#report(set);
    if (!isSame) {
      metrics.loaded(set.digest, Date.now());
      const tookMs = Math.round(performance.now() - startedAt);
      const inForce = set.policies.length;
      logger.info({ digest: set.digest, inForce, tookMs }, "new policy set in force");
    }
    this.#parts.onBuilt?.(set);
    if (!isSame || !keepsSame) this.#parts.onSwap(set);
  }

  stop(): void {
    this.#isStopped = true;
    this.#clearTimers();
  }

  #clearTimers(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#tenantTimer);
    this.#timer = undefined;
    this.#tenantTimer = undefined;
  }

  /** Changes that keep coming must not hold a set up for ever. */
  #isReady(set: PolicySet, now: number): boolean {
    const { prepare = () => true } = this.#parts;
    const isReady = prepare(set, ...(this.#set === undefined ? [] : [this.#set]));
    this.#waitingSince ??= now;
    if (!isReady && now - this.#waitingSince < longestWaitMs) return false;
    this.#waitingSince = undefined;
    return true;
  }

  /** Each problem is logged once for each generation that has it. */
  #report(set: PolicySet): void {
    const now = new Set<string>();
    for (const { kind, name, generation, error, keepsLastGood } of set.problems) {
      if (error.code === "Compiling" || error.code === "BundlePending") continue;
      const key = `${kind} ${name} ${generation}`;
      now.add(key);
      if (this.#reported.has(key)) continue;
      this.#reported.add(key);
      this.#parts.logger.warn(
        { kind, name, generation, keepsLastGood },
        `cannot be compiled: ${error.message}`,
      );
    }
    for (const key of this.#reported) if (!now.has(key)) this.#reported.delete(key);
  }
}

const longestWaitMs = 30_000;
/** However long a set takes to build, tenants have a replica build for a fifth of its time at most. */
const pausesForBuild = 4;

type Watched = ShieldPolicyObject | NamespacedShieldPolicyObject | ShieldExceptionObject;

function isRelevant(before: Watched, after: Watched): boolean {
  const [a, b] = [before.metadata, after.metadata];
  return (
    a.uid !== b.uid ||
    a.generation !== b.generation ||
    a.deletionTimestamp !== b.deletionTimestamp ||
    whoJudges(before) !== whoJudges(after) ||
    stagingOfWatched(before) !== stagingOfWatched(after)
  );
}

function whoJudges({ spec, status }: Watched): string | undefined {
  return "engine" in spec ? judgesSoFar(status as ShieldPolicy["status"]) : undefined;
}

function stagingOfWatched(object: Watched): string {
  return "engine" in object.spec ? stagingKey(object as unknown as ShieldPolicy) : "";
}
