import {
  type FoundObject,
  formatRolloutReports,
  MAX_FOUND_MESSAGE,
  type RolloutCounts,
  type RolloutReport,
} from "@shieldx/crds";
import type { CompiledPolicy, Finding, PolicySet, Verdict } from "@shieldx/policy-engine";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { isFailure } from "./policies.ts";

export type RolloutOutcome = "kept" | "denied" | "error";

/** A policy whose newest version is in a stage, and what came of one request. */
export interface StagedOutcome {
  readonly policy: string;
  readonly outcome: RolloutOutcome;
}

interface Entry {
  readonly uid: string;
  readonly digest: string;
  readonly turn: number;
  /** In which the version acts; where it is 0, what it would do counts as what it does. */
  readonly percent: number;
  readonly slowMs: number;
  readonly counts: { -readonly [K in keyof RolloutCounts]: RolloutCounts[K] };
  /** By namespace, kind and name. */
  readonly objects: Map<string, FoundObject>;
  readonly namespaces: Map<string, number>;
}

/** Different objects, and namespaces, that are told apart for one policy. */
const mostObjects = 1_000;
const mostNamespaces = 1_000;

/**
 * What this process counts of versions that go in by stages, by the turn of their rollout. It goes with the replica's Lease;
 * that a turn is listed there says that it is kept here.
 */
export class RolloutTally {
  readonly #process: string;
  readonly #onNews: () => void;
  #entries = new Map<string, Entry>();

  /** @param process names this process, and no other, ever */
  constructor(process: string, onNews: () => void) {
    this.#process = process;
    this.#onNews = onNews;
  }

  /** This set is in force from now on. Counts of the same turn go on. Returns whether turns are others than before. */
  follow(set: PolicySet): boolean {
    const before = this.#entries;
    this.#entries = new Map(
      set.policies.flatMap((policy) => {
        const known = before.get(policy.uid);
        const entry = known !== undefined && isOf(known, policy) ? known : newEntry(policy);
        return entry === undefined ? [] : [[policy.uid, entry]];
      }),
    );
    return (
      before.size !== this.#entries.size ||
      [...this.#entries].some(([uid, entry]) => before.get(uid) !== entry)
    );
  }

  /**
   * Counts what a verdict says of versions in a stage.
   * @param hasActed whether they acted on the request, or only would have
   */
  count(
    set: PolicySet,
    request: AdmissionRequest,
    verdict: Verdict,
    hasActed: boolean,
  ): readonly StagedOutcome[] {
    const outcomes = verdict.staged.flatMap(({ policy: name, tookMs }): StagedOutcome[] => {
      const policy = set.policy(name);
      const entry = policy && this.#entries.get(policy.uid);
      if (policy === undefined || entry === undefined || !isOf(entry, policy)) return [];
      if (!verdict.matched.includes(name)) return [];
      const finding = [...verdict.denials, ...verdict.warnings, ...verdict.audits].find(
        (each) => each.policy === name,
      );
      const outcome = outcomeOf(finding);
      if (hasActed || entry.percent === 0) add(entry, outcome, tookMs);
      if (finding !== undefined && outcome === "denied") note(entry, request, finding);
      return [{ policy: name, outcome }];
    });
    if (outcomes.length > 0) this.#onNews();
    return outcomes;
  }

  /** As the annotation of the Lease; undefined where nothing is in a stage. */
  report(): string | undefined {
    const rollouts = [...this.#entries.values()]
      .sort((a, b) => (a.uid < b.uid ? -1 : 1))
      .map(
        ({ uid, digest, turn, counts, objects, namespaces }): RolloutReport => ({
          uid,
          digest,
          turn,
          counts,
          distinct: objects.size,
          objects: [...objects.values()],
          namespaces: [...namespaces].sort(([, a], [, b]) => b - a),
        }),
      );
    return formatRolloutReports({ process: this.#process, rollouts });
  }
}

function isOf({ digest, turn }: Entry, { stage }: CompiledPolicy): boolean {
  return stage?.digest === digest && stage.turn === turn;
}

function newEntry({ uid, stage, source }: CompiledPolicy): Entry | undefined {
  // Turn 0: whoever writes the status has not seen this version yet.
  if (stage === undefined || stage.turn === 0) return undefined;
  return {
    uid,
    digest: stage.digest,
    turn: stage.turn,
    percent: stage.percent,
    slowMs: source.spec.rollout?.rollback?.maxLatencyMilliseconds ?? Number.POSITIVE_INFINITY,
    counts: { requests: 0, denied: 0, errors: 0, slow: 0, found: 0 },
    objects: new Map(),
    namespaces: new Map(),
  };
}

function outcomeOf(finding: Finding | undefined): RolloutOutcome {
  if (finding === undefined) return "kept";
  return isFailure(finding) ? "error" : "denied";
}

function add({ counts, slowMs }: Entry, outcome: RolloutOutcome, tookMs: number): void {
  counts.requests++;
  if (outcome === "denied") counts.denied++;
  if (outcome === "error") counts.errors++;
  if (tookMs > slowMs) counts.slow++;
}

function note(entry: Entry, request: AdmissionRequest, { message, violations }: Finding): void {
  entry.counts.found++;
  const namespace = (request.namespace ?? "").slice(0, 63);
  if (entry.namespaces.has(namespace) || entry.namespaces.size < mostNamespaces)
    entry.namespaces.set(namespace, (entry.namespaces.get(namespace) ?? 0) + 1);
  const kind = request.kind.kind.slice(0, 253);
  const name = nameOf(request).slice(0, 253);
  const key = JSON.stringify([namespace, kind, name]);
  if (entry.objects.has(key) || entry.objects.size >= mostObjects) return;
  const what = violations.length === 0 ? message : violations.map(({ detail }) => detail).join("; ");
  const told = what.slice(0, MAX_FOUND_MESSAGE).toWellFormed();
  entry.objects.set(key, { namespace, kind, name, message: told });
}

function nameOf({ name, object }: AdmissionRequest): string {
  if (name !== undefined && name !== "") return name;
  const metadata: unknown =
    typeof object === "object" && object !== null ? (object as { metadata?: unknown }).metadata : undefined;
  const { generateName } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as {
    generateName?: unknown;
  };
  return typeof generateName === "string" ? `${generateName}*` : "";
}
