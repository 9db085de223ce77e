import { setCondition } from "@shieldx/controller-runtime";
import { type Condition, MAX_CLEANUP_EXAMPLES, type ShieldCleanupStatus } from "@shieldx/crds";
import { describe, type Outcome } from "./delete.ts";
import type { Scan } from "./scan.ts";

/** Fields of a ShieldCleanup's status. */
export const CLEANUP_STATUS_FIELDS = ["observedGeneration", "conditions", "lastRun", "deletedTotal"];

export interface ReadyState {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** A run as far as it has come. */
export interface Run {
  /** The metadata.generation it goes by. */
  readonly generation: number;
  readonly startedAtMs: number;
  readonly request: string | undefined;
  readonly scan: Scan;
  /** Of the objects that are due longest. */
  readonly outcomes: readonly Outcome[];
}

export function statusOf(
  about: { readonly generation: number; readonly previous: ShieldCleanupStatus | undefined },
  ready: ReadyState,
  run: Run | undefined,
  now: number,
): ShieldCleanupStatus {
  const { generation, previous } = about;
  const condition = {
    type: "Ready",
    observedGeneration: generation,
    ...ready,
    message: ready.message.slice(0, 4096).toWellFormed(),
  };
  const deleted = run?.outcomes.filter(({ outcome }) => outcome === "Deleted").length ?? 0;
  const lastRun = run === undefined ? previous?.lastRun : lastRunOf(run, deleted);
  return {
    observedGeneration: generation,
    conditions: setCondition(previous?.conditions, condition, now) as Condition[],
    ...(lastRun === undefined ? {} : { lastRun }),
    deletedTotal: (previous?.deletedTotal ?? 0) + deleted,
  };
}

function lastRunOf(
  { generation, startedAtMs, request, scan, outcomes }: Run,
  deleted: number,
): NonNullable<ShieldCleanupStatus["lastRun"]> {
  const examples = outcomes.slice(0, MAX_CLEANUP_EXAMPLES).map(({ due, outcome, message }) => ({
    object: describe(due).slice(0, 400),
    since: inSeconds(due.sinceMs),
    outcome,
    ...(message === undefined ? {} : { message: message.slice(0, 512).toWellFormed() }),
  }));
  return {
    time: inSeconds(startedAtMs),
    generation,
    ...(request === undefined ? {} : { request }),
    checked: scan.checked,
    due: scan.due.count,
    deleted,
    ...(scan.errors === 0 ? {} : { errors: scan.errors }),
    ...(scan.firstError === undefined ? {} : { error: scan.firstError.slice(0, 512).toWellFormed() }),
    ...(examples.length === 0 ? {} : { examples }),
  };
}

/** As the API writes times; what an expression gave may be out of its range. */
function inSeconds(ms: number): string {
  const date = new Date(Math.min(Math.max(ms, 1_000), 253_402_300_799_000));
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
