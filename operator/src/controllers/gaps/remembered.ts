import type { Gap } from "@shieldx/crds";

interface PolicyGaps {
  readonly name: string;
  readonly uid: string;
  /** As its status has them. */
  readonly gaps: readonly Gap[] | undefined;
}

/** As long as replicas tell of what passed. */
const KEPT_MS = 24 * 3_600_000;
const MOST_KEPT = 1_000;

/**
 * The gaps of policies as they were last, by name: who deletes a policy and makes it anew, with kubectl replace --force say,
 * takes away its status, and is not to take away who broke the glass.
 */
export class RememberedGaps {
  /** The latest last. */
  readonly #last = new Map<string, PolicyGaps>();

  keep(policy: PolicyGaps): void {
    this.#last.delete(policy.name);
    if (policy.gaps === undefined || policy.gaps.length === 0) return;
    this.#last.set(policy.name, policy);
    const [first] = this.#last.keys();
    if (this.#last.size > MOST_KEPT && first !== undefined) this.#last.delete(first);
  }

  /** @param now milliseconds since the epoch */
  of({ name, uid, gaps }: PolicyGaps, now: number): readonly Gap[] {
    const last = this.#last.get(name);
    if (gaps !== undefined || last === undefined) return gaps ?? [];
    if (last.uid === uid) return last.gaps ?? [];
    return (last.gaps ?? []).filter(
      ({ cause, until }) =>
        cause === "BreakGlass" && (until === undefined || Date.parse(until) > now - KEPT_MS),
    );
  }
}
