import { MAX_ROLLOUT_SHARES, type RolloutCounts, type RolloutStatus } from "@shieldx/crds";

export const NOTHING_COUNTED: RolloutCounts = { requests: 0, denied: 0, errors: 0, slow: 0, found: 0 };

export interface Counted {
  readonly counts: RolloutCounts;
  readonly processes: NonNullable<RolloutStatus["processes"]>;
}

/** What a process has counted in one turn since it began it. */
export interface ProcessCounts {
  readonly process: string;
  readonly counts: RolloutCounts;
}

/**
 * Adds up what processes count in one turn. A share only ever grows to what its process tells, so that adding up twice,
 * late or by another leader changes nothing; a process that starts anew has another id and begins at zero. Of more
 * processes than there may be shares, those that tell nothing any more become part of the rest.
 */
export function addUp(before: Partial<Counted>, told: readonly ProcessCounts[]): Counted {
  const shares = new Map((before.processes ?? []).map(({ id, ...counts }) => [id, counts as RolloutCounts]));
  let rest = minus(before.counts ?? NOTHING_COUNTED, sum(shares.values()));
  const telling = new Set(told.map(({ process }) => process));
  for (const { process, counts } of told) {
    const share = shares.get(process);
    if (share === undefined && shares.size >= MAX_ROLLOUT_SHARES) {
      const silent = [...shares].find(([id]) => !telling.has(id));
      if (silent === undefined) continue;
      rest = plus(rest, silent[1]);
      shares.delete(silent[0]);
    }
    shares.set(process, share === undefined ? counts : most(share, counts));
  }
  return {
    counts: plus(rest, sum(shares.values())),
    processes: [...shares].map(([id, counts]) => ({ id, ...counts })),
  };
}

function each(make: (key: keyof RolloutCounts) => number): RolloutCounts {
  return {
    requests: make("requests"),
    denied: make("denied"),
    errors: make("errors"),
    slow: make("slow"),
    found: make("found"),
  };
}

function plus(a: RolloutCounts, b: RolloutCounts): RolloutCounts {
  return each((key) => Math.min(a[key] + b[key], Number.MAX_SAFE_INTEGER));
}

function minus(a: RolloutCounts, b: RolloutCounts): RolloutCounts {
  return each((key) => Math.max(0, a[key] - b[key]));
}

function most(a: RolloutCounts, b: RolloutCounts): RolloutCounts {
  return each((key) => Math.max(a[key], b[key]));
}

function sum(all: Iterable<RolloutCounts>): RolloutCounts {
  let total = NOTHING_COUNTED;
  for (const one of all) total = plus(total, one);
  return total;
}
