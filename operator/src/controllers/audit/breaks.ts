import type { AuditFinding } from "./finding.ts";
import { findingsOf } from "./report-results.ts";

/** Which policies an object breaks, and how often each; in two lists of equal length, for there may be many of these. */
export interface Breaks {
  readonly text: string;
  readonly policies: readonly string[];
  readonly findings: readonly number[];
}

/** Objects resemble each other: those that break the same policies equally often share one `Breaks`. */
export class SharedBreaks {
  readonly #shared = new Map<string, { readonly breaks: Breaks; users: number }>();

  /** undefined for an object that breaks nothing. Each is to be given back by {@link release}. */
  take(findings: readonly AuditFinding[]): Breaks | undefined {
    if (findings.length === 0) return undefined;
    const byPolicy = new Map<string, number>();
    for (const finding of findings)
      byPolicy.set(finding.policy, (byPolicy.get(finding.policy) ?? 0) + findingsOf(finding));
    const policies = [...byPolicy.keys()].sort();
    const counts = policies.map((policy) => byPolicy.get(policy) ?? 0);
    const text = JSON.stringify([policies, counts]);
    const shared = this.#shared.get(text) ?? { breaks: { text, policies, findings: counts }, users: 0 };
    shared.users++;
    this.#shared.set(text, shared);
    return shared.breaks;
  }

  release({ text }: Breaks): void {
    const shared = this.#shared.get(text);
    if (shared !== undefined && --shared.users === 0) this.#shared.delete(text);
  }

  /** How many different ones there are. */
  get size(): number {
    return this.#shared.size;
  }
}

/** How many findings a policy has; 0 where it is kept. Remembers answers, for many objects share a few `Breaks`. */
export function findingsBy(policy: string): (breaks: Breaks) => number {
  const known = new Map<Breaks, number>();
  return (breaks) => {
    const before = known.get(breaks);
    if (before !== undefined) return before;
    const at = breaks.policies.indexOf(policy);
    const findings = at < 0 ? 0 : (breaks.findings[at] ?? 0);
    known.set(breaks, findings);
    return findings;
  };
}
