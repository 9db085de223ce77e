import {
  ANNOTATION,
  type KeptPolicies,
  type PolicyProblem,
  parseKeptPolicies,
  parsePolicyProblems,
} from "@shieldx/crds";

/** What a webhook replica says about itself on its own Lease. */
export interface ReplicaReport {
  readonly name: string;
  readonly policySetDigest: string | undefined;
  /** Policies of which it holds an older version, because the newest does not compile. */
  readonly kept: KeptPolicies;
  /** Policies it holds and cannot judge by. */
  readonly problems: readonly PolicyProblem[];
  readonly servingLeaf: string | undefined;
  readonly candidateLeaf: string | undefined;
}

/** The part of a Lease that is read here. */
export interface ReplicaLease {
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: {
    readonly renewTime?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly holderIdentity?: string | null;
  };
}

interface Sighting {
  readonly uid: string | undefined;
  readonly renewTime: string | undefined;
  /** Our clock when this renewTime was first seen. */
  readonly seenAt: number;
  /** A renewal happened while we were watching, or the renewTime was fresh by our clock at first sight. */
  readonly isProven: boolean;
}

export const RENEW_INTERVAL_MS = 10_000;
const STALE_AFTER_MS = 3 * RENEW_INTERVAL_MS;

/**
 * Which webhook replicas are alive, judged by when *we* saw their Lease change: their clocks are never compared with
 * ours once a renewal was seen. A Lease met for the first time with an old renewTime may belong to a dead replica
 * or to one with another clock; it is `possible` until it renews or three renewals were missed.
 */
export class ReplicaTracker {
  readonly #sightings = new Map<string, Sighting>();

  /** Take in the Leases as they are now. Call on every Lease event and before every reading. */
  observe(leases: readonly ReplicaLease[], now: number): void {
    const names = new Set(leases.map((lease) => lease.metadata.name));
    for (const name of this.#sightings.keys()) if (!names.has(name)) this.#sightings.delete(name);
    for (const lease of leases) {
      const before = this.#sightings.get(lease.metadata.name);
      const renewTime = lease.spec?.renewTime ?? undefined;
      const isSame =
        before !== undefined && before.uid === lease.metadata.uid && before.renewTime === renewTime;
      if (isSame) continue;
      const isRenewal = before !== undefined && before.uid === lease.metadata.uid;
      this.#sightings.set(lease.metadata.name, {
        uid: lease.metadata.uid,
        renewTime,
        seenAt: now,
        isProven: isRenewal || isFresh(renewTime, now),
      });
    }
  }

  /** Replicas that are surely alive. What opens a gate (publishing a Fail configuration) counts these. */
  live(leases: readonly ReplicaLease[], now: number): ReplicaReport[] {
    return leases.filter((lease) => this.#isAlive(lease, now, true)).map(reportOf);
  }

  /** Replicas that may be alive. What must wait for everybody (retiring a certificate) waits for these. */
  possible(leases: readonly ReplicaLease[], now: number): ReplicaReport[] {
    return leases.filter((lease) => this.#isAlive(lease, now, false)).map(reportOf);
  }

  /** When the next Lease goes stale if nothing is heard, in ms from now; undefined without live Leases. */
  nextChangeMs(now: number): number | undefined {
    let next: number | undefined;
    for (const sighting of this.#sightings.values()) {
      const left = sighting.seenAt + STALE_AFTER_MS - now;
      if (left > 0 && (next === undefined || left < next)) next = left;
    }
    return next;
  }

  #isAlive(lease: ReplicaLease, now: number, mustBeProven: boolean): boolean {
    if (lease.metadata.deletionTimestamp !== undefined) return false;
    // A replica that leaves in good order gives its Lease up by clearing the holder.
    if (lease.spec?.holderIdentity === "" || lease.spec?.holderIdentity === null) return false;
    const sighting = this.#sightings.get(lease.metadata.name);
    if (sighting === undefined || (mustBeProven && !sighting.isProven)) return false;
    return now - sighting.seenAt < STALE_AFTER_MS;
  }
}

function isFresh(renewTime: string | undefined, now: number): boolean {
  if (renewTime === undefined) return false;
  const age = now - Date.parse(renewTime);
  return age > -STALE_AFTER_MS && age < STALE_AFTER_MS;
}

function reportOf(lease: ReplicaLease): ReplicaReport {
  const annotations = lease.metadata.annotations ?? {};
  return {
    name: lease.metadata.name,
    policySetDigest: annotations[ANNOTATION.policySetDigest],
    kept: parseKeptPolicies(annotations[ANNOTATION.keptPolicies]),
    problems: parsePolicyProblems(annotations[ANNOTATION.policyProblems]),
    servingLeaf: annotations[ANNOTATION.servingLeaf],
    candidateLeaf: annotations[ANNOTATION.candidateLeaf],
  };
}
