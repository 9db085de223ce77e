import type { KeptPolicy } from "@shieldx/crds";
import { buildPolicySet, type PolicySet, policySetDigest } from "@shieldx/policy-engine";
import { DigestHistory, type Member } from "./digest-history.ts";
import { asException, asPolicy, type ShieldExceptionObject, type ShieldPolicyObject } from "./kinds.ts";
import { type ReplicaLease, type ReplicaReport, ReplicaTracker } from "./replicas.ts";

/** Where the world reads from: the caches. */
export interface PolicySources {
  policies(): readonly ShieldPolicyObject[];
  exceptions(): readonly ShieldExceptionObject[];
  leases(): readonly ReplicaLease[];
}

/**
 * What several controllers need to know about policies and replicas, worked out once: the policy set built from the
 * caches as a replica builds it, the digests such sets had lately, and which replicas are alive.
 */
export class PolicyWorld {
  readonly #sources: PolicySources;
  readonly #serverMinor: number;
  readonly #ownNamespaces: readonly string[];
  readonly #tracker = new ReplicaTracker();
  readonly #history = new DigestHistory();
  #set: PolicySet | undefined;
  /** Of the newest set, by what a replica keeps. */
  readonly #digests = new Map<string, string>();
  #isCurrent = false;
  #revision = 0;
  readonly #leftOut = new Map<string, readonly string[]>();
  readonly #leftOutListeners: ((exceptions: readonly string[]) => void)[] = [];

  constructor(options: {
    sources: PolicySources;
    serverMinor: number;
    ownNamespaces: readonly string[];
  }) {
    this.#sources = options.sources;
    this.#serverMinor = options.serverMinor;
    this.#ownNamespaces = options.ownNamespaces;
  }

  /** To be called on every change of a policy or exception. */
  invalidate(): void {
    this.#isCurrent = false;
    this.#revision++;
  }

  /** Grows with every change of a policy or exception. */
  get revision(): number {
    return this.#revision;
  }

  /** The newest set; a policy that no longer compiles keeps its last good version in it. */
  current(): PolicySet {
    if (this.#set !== undefined && this.#isCurrent) return this.#set;
    const set = buildPolicySet({
      policies: this.#sources.policies().map(asPolicy),
      exceptions: this.#sources.exceptions().map(asException),
      serverMinor: this.#serverMinor,
      previous: this.#set,
      neverJudged: this.#ownNamespaces,
    });
    this.#history.remember(set.digest, set.members);
    this.#digests.clear();
    this.#set = set;
    this.#isCurrent = true;
    return set;
  }

  /** Whether the replica has taken in everything there is. */
  isCurrent({ policySetDigest: digest, kept }: ReplicaReport): boolean {
    return digest === this.#digestWith(kept);
  }

  /**
   * Digest of the newest set as a replica has it that keeps these: of a policy that does not compile each replica holds
   * the last version that compiled while it ran, and one that started later holds none.
   */
  #digestWith(kept: readonly KeptPolicy[]): string {
    const set = this.current();
    const broken = new Set(
      set.problems.filter(({ kind }) => kind === "ShieldPolicy").map(({ name }) => name),
    );
    if (broken.size === 0) return set.digest;
    const stays = kept.filter(({ name }) => broken.has(name));
    const key = stays.map(({ name, uid, generation }) => `${name}/${uid}/${generation}`).join();
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const members = [...set.members.filter(({ name }) => !broken.has(name)), ...stays];
    const digest = policySetDigest(members);
    this.#history.remember(digest, members);
    this.#digests.set(key, digest);
    return digest;
  }

  /**
   * Digest of a set that holds this state of the policy: the one named before while it still does, so that a change
   * of one policy does not rewrite the status of all; else the newest. undefined when no set holds it.
   */
  digestOf(member: Member, before: string | undefined): string | undefined {
    const { digest } = this.current();
    return [before, digest].find((candidate) => this.#history.contains(candidate, member));
  }

  /** Policies that do not compile and of which we know no older version, while these replicas do. */
  knownToReplicas(replicas: readonly ReplicaReport[]): KeptPolicy[] {
    const unread = this.current().problems.filter(
      ({ kind, keepsLastGood }) => kind === "ShieldPolicy" && !keepsLastGood,
    );
    if (unread.length === 0) return [];
    const names = new Set(unread.map(({ name }) => name));
    const uids = new Map(this.#sources.policies().map(({ metadata }) => [metadata.name, metadata.uid]));
    return replicas
      .flatMap(({ kept }) => kept)
      .filter(({ name, uid }) => names.has(name) && uids.get(name) === uid);
  }

  exceptions(): readonly ShieldExceptionObject[] {
    return this.#sources.exceptions();
  }

  exceptionsOf(policy: string): ShieldExceptionObject[] {
    return this.#sources.exceptions().filter((exception) => exception.spec.policies.includes(policy));
  }

  /**
   * Takes note of the exceptions (`namespace/name`) that did not fit into what was rendered of a policy. Returns
   * whether they are others than before.
   */
  noteLeftOut(policy: string, exceptions: readonly string[]): boolean {
    const before = this.#leftOut.get(policy) ?? [];
    if (before.join() === exceptions.join()) return false;
    if (exceptions.length === 0) this.#leftOut.delete(policy);
    else this.#leftOut.set(policy, exceptions);
    for (const listener of this.#leftOutListeners) listener([...before, ...exceptions]);
    return true;
  }

  isLeftOut(policy: string, exception: string): boolean {
    return this.#leftOut.get(policy)?.includes(exception) === true;
  }

  onLeftOut(listener: (exceptions: readonly string[]) => void): void {
    this.#leftOutListeners.push(listener);
  }

  /** To be called on every event of a replica's Lease: liveness is judged by when we saw it. */
  observeLeases(now: number): void {
    this.#tracker.observe(this.#sources.leases(), now);
  }

  /** Replicas that are surely alive. */
  liveReplicas(now: number): ReplicaReport[] {
    this.observeLeases(now);
    return this.#tracker.live(this.#sources.leases(), now);
  }

  /** Replicas that may be alive. */
  possibleReplicas(now: number): ReplicaReport[] {
    this.observeLeases(now);
    return this.#tracker.possible(this.#sources.leases(), now);
  }

  /** When a replica will count as gone if it stays silent, ms from now. */
  nextReplicaChangeMs(now: number): number | undefined {
    return this.#tracker.nextChangeMs(now);
  }

  /** How many of these replicas hold all of `members` in the state given. */
  loadedBy(replicas: readonly ReplicaReport[], members: readonly Member[]): number {
    for (const { kept } of replicas) this.#digestWith(kept);
    return replicas.filter((replica) =>
      members.every((member) => this.#history.contains(replica.policySetDigest, member)),
    ).length;
  }
}

export function memberOf(object: ShieldPolicyObject | ShieldExceptionObject): Member {
  const { name, namespace, uid = "", generation = 0 } = object.metadata;
  return { name: namespace === undefined ? name : `${namespace}/${name}`, uid, generation };
}
