import { seeded } from "../seed.test-kit.ts";

/** What the proxy does to a request. Restarts of API servers come on top of these, from outside the proxy. */
export const proxyFaults = [
  "reset mid-line",
  "truncated JSON",
  "half-open stall",
  "410 in stream",
  "410 on open",
  "429 Retry-After",
  "500",
  "503",
  "slow bytes",
  "etcd compaction",
] as const;
export const restart = "API server restart";

export type ProxyFault = (typeof proxyFaults)[number];
export type FaultKind = ProxyFault | typeof restart;

export interface Fault {
  readonly kind: ProxyFault | "none";
  /** How many events of the watch pass before it. */
  readonly afterEvents: number;
  /** Where inside the line (or body) it strikes: a share of its length, never the whole. */
  readonly cut: number;
  /** Picks among the ways a kind can happen. */
  readonly variant: number;
}

/** Request kinds, and the moments in a request, that a fault can strike. */
export type Moment = "open list" | "list body" | "open watch" | "watch body";

const strikes: Record<ProxyFault, readonly Moment[]> = {
  "reset mid-line": ["list body", "watch body"],
  "truncated JSON": ["list body", "watch body"],
  "half-open stall": ["watch body"],
  "410 in stream": ["watch body"],
  "410 on open": ["open watch"],
  "429 Retry-After": ["open list", "open watch"],
  "500": ["open list", "open watch"],
  "503": ["open list", "open watch"],
  "slow bytes": ["list body", "watch body"],
  "etcd compaction": ["watch body"],
};

export function canStrike(fault: Fault, moment: Moment): boolean {
  return fault.kind !== "none" && strikes[fault.kind].includes(moment);
}

/** One informer's faults: the same for the same seed and lane, whatever the timing of the run. */
export function* faultsOf(seed: number, lane: number): Generator<Fault, never> {
  const random = seeded(seed * 1_009 + lane);
  for (;;) {
    const isUnharmed = random() < 0.12;
    const kind = proxyFaults[Math.floor(random() * proxyFaults.length)] ?? "500";
    yield {
      kind: isUnharmed ? "none" : kind,
      afterEvents: Math.floor(random() * 4),
      cut: 0.02 + random() * 0.96,
      variant: random(),
    };
  }
}
