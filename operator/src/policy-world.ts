import {
  type EnforcedBy,
  isJudgedByStatus,
  type KeptPolicy,
  namespaceOfPolicy,
  versionSpecs,
} from "@shieldx/crds";
import {
  buildPolicySet,
  isPolicyProblem,
  isTransient,
  type PolicySet,
  policySetDigest,
  type RegoPolicies,
  withinBound,
} from "@shieldx/policy-engine";
import { DigestHistory, keyOf, type Member } from "./digest-history.ts";
import { asException, asPolicy, type ShieldExceptionObject, type ShieldPolicyObject } from "./kinds.ts";
import { type ReplicaLease, type ReplicaReport, ReplicaTracker } from "./replicas.ts";

/** Where the world reads from: the caches. */
export interface PolicySources {
  /** Those of tenants, too, as `tenantAsPolicy` has them. */
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
  #serverMinor: number;
  readonly #ownNamespaces: readonly string[];
  readonly #rego: Pick<RegoPolicies, "want" | "state" | "outdated">;
  readonly #tracker = new ReplicaTracker();
  readonly #history = new DigestHistory();
  #set: PolicySet | undefined;
  #isCurrent = false;
  #revision = 0;
  readonly #leftOut = new Map<string, readonly string[]>();
  readonly #compiledListeners: (() => void)[] = [];
  readonly #leftOutListeners: ((exceptions: readonly string[]) => void)[] = [];

  constructor(options: {
    sources: PolicySources;
    serverMinor: number;
    ownNamespaces: readonly string[];
    rego: Pick<RegoPolicies, "want" | "state" | "outdated" | "onChange">;
  }) {
    this.#sources = options.sources;
    this.#serverMinor = options.serverMinor;
    this.#ownNamespaces = options.ownNamespaces;
    this.#rego = options.rego;
    options.rego.onChange(() => this.#changed());
  }

  /** To be called on every change of a policy or exception. */
  invalidate(): void {
    this.#isCurrent = false;
    this.#revision++;
  }

  /** The minor version of the API server, as it was read last. */
  get serverMinor(): number {
    return this.#serverMinor;
  }

  /** To be called with what the API server says of itself. Returns whether it is of another version than before. */
  observeServer(minor: number): boolean {
    if (minor === this.#serverMinor) return false;
    this.#serverMinor = minor;
    this.#changed();
    return true;
  }

  /** What is current is another, though no policy has changed. */
  #changed(): void {
    this.invalidate();
    for (const listener of this.#compiledListeners) listener();
  }

  /** Called after policies in Rego have been compiled, or the API server is of another version, which changes what is current. */
  onCompiled(listener: () => void): void {
    this.#compiledListeners.push(listener);
  }

  /** Grows with every change of what the set is built from. */
  get revision(): number {
    return this.#revision;
  }

  /** The newest set; a policy that no longer compiles keeps its last good version in it. */
  current(): PolicySet {
    if (this.#set !== undefined && this.#isCurrent) return this.#set;
    const policies = this.#sources.policies();
    const bounded = withinBound(policies.map(asPolicy));
    this.#rego.want(bounded.policies.flatMap(versionSpecs));
    const set = buildPolicySet({
      ...bounded,
      exceptions: this.#sources.exceptions().map(asException),
      serverMinor: this.#serverMinor,
      previous: this.#set,
      neverJudged: this.#ownNamespaces,
      rego: this.#rego.state,
      keepsStages: true,
    });
    this.#history.remember(set.digest, set.members);
    // Replicas may have compiled already what we have not.
    const transient = new Set(
      set.problems.filter(({ error }) => isTransient(error.code)).map(({ name }) => name),
    );
    if (transient.size > 0) {
      const others = policies.filter(({ metadata }) => transient.has(metadata.name)).map(memberOf);
      const whole = [...set.members, ...others];
      this.#history.remember(policySetDigest(whole), whole);
    }
    this.#set = set;
    this.#isCurrent = true;
    return set;
  }

  /** Whether the replica has taken in everything there is, what does not compile included. */
  isCurrent({ policySetDigest }: ReplicaReport): boolean {
    return policySetDigest === this.current().digest;
  }

  /**
   * Digest of a set that holds this state of the policy: the one named before while it still does, so that a change
   * of one policy does not rewrite the status of all; else the newest. undefined when no set holds it.
   */
  digestOf(member: Member, before: string | undefined): string | undefined {
    const { digest } = this.current();
    return [before, digest].find((candidate) => this.#history.contains(candidate, member));
  }

  /** Who acts on requests so far, by the status of each policy as it is now. */
  enforcers(): ReadonlyMap<string, EnforcedBy> {
    return new Map(
      this.#sources.policies().map(({ metadata, status }) => [metadata.name, status?.enforcedBy]),
    );
  }

  /** The status of each policy as it is now. */
  statuses(): ReadonlyMap<string, ShieldPolicyObject["status"]> {
    return new Map(this.#sources.policies().map(({ metadata, status }) => [metadata.name, status]));
  }

  /** Names of the policies of these uids. */
  namesOf(uids: ReadonlySet<string>): string[] {
    return this.#sources
      .policies()
      .filter(({ metadata: { uid } }) => uid !== undefined && uids.has(uid))
      .map(({ metadata }) => metadata.name);
  }

  /** Why the bundle that a policy is judged by here is not the newest; undefined where it is, as far as is known. */
  outdatedBundle(policy: ShieldPolicyObject): string | undefined {
    return this.#rego.outdated(asPolicy(policy).spec);
  }

  /** All ShieldPolicies there are, whether they compile or not. */
  policyNames(): string[] {
    const names = this.#sources.policies().map(({ metadata }) => metadata.name);
    return names.filter((name) => namespaceOfPolicy(name) === undefined);
  }

  /** All NamespacedShieldPolicies there are, whether they compile or not. */
  tenantPolicies(): { readonly namespace: string; readonly name: string }[] {
    return this.#sources.policies().flatMap(({ metadata: { name } }) => {
      const namespace = namespaceOfPolicy(name);
      return namespace === undefined ? [] : [{ namespace, name: name.slice(namespace.length + 1) }];
    });
  }

  /** Versions of policies that do not compile any more which these replicas keep in force. */
  keptBy(replicas: readonly ReplicaReport[]): KeptPolicy[] {
    const broken = this.#broken();
    if (broken.size === 0) return [];
    return replicas
      .flatMap(({ kept }) => kept.policies)
      .filter(({ name, uid }) => broken.has(name) && broken.get(name) === uid);
  }

  /** How many of these replicas keep any older version of a policy that does not compile. */
  countKeeping(replicas: readonly ReplicaReport[], { name, uid }: Omit<Member, "generation">): number {
    const keeps = ({ kept }: ReplicaReport): boolean =>
      kept.policies.some((each) => each.name === name && each.uid === uid);
    return replicas.filter(keeps).length;
  }

  /**
   * Whether these replicas may keep more than they say: some have not taken in what broke, or cannot report it all. What
   * was broken when it was created nobody has ever held. Asked of tenants' policies and of the others apart, for what one
   * does with his must not hold up anything of the others.
   */
  mayKeepMore(replicas: readonly ReplicaReport[], whose: "cluster" | "tenants" = "cluster"): boolean {
    const problems = this.current().problems.filter(
      ({ name }) => (namespaceOfPolicy(name) === undefined) === (whose === "cluster"),
    );
    // What we have not compiled yet may be in force there as it is.
    if (problems.some(({ error }) => isTransient(error.code))) return true;
    if (!problems.some((problem) => isPolicyProblem(problem) && problem.generation > 1)) return false;
    const isMore = ({ kept }: ReplicaReport): boolean => whose === "cluster" && kept.more > 0;
    return replicas.some((replica) => !this.isCurrent(replica) || isMore(replica));
  }

  /** Names and uids of the policies that do not compile. */
  #broken(): ReadonlyMap<string, string | undefined> {
    const names = new Set(
      this.current()
        .problems.filter(isPolicyProblem)
        .map(({ name }) => name),
    );
    if (names.size === 0) return new Map();
    const policies = this.#sources.policies().filter(({ metadata }) => names.has(metadata.name));
    return new Map(policies.map(({ metadata }) => [metadata.name, metadata.uid]));
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
    this.current();
    const holds = ({ policySetDigest, kept }: ReplicaReport, member: Member): boolean =>
      this.#history.contains(policySetDigest, member) ||
      kept.policies.some((each) => keyOf(each) === keyOf(member));
    return replicas.filter((replica) => members.every((member) => holds(replica, member))).length;
  }
}

export function memberOf(object: ShieldPolicyObject | ShieldExceptionObject): Member {
  const { name, namespace, uid = "", generation = 0 } = object.metadata;
  const member = { name: namespace === undefined ? name : `${namespace}/${name}`, uid, generation };
  // Policies are in no namespace.
  return namespace === undefined && isJudgedByStatus(asPolicy(object as ShieldPolicyObject))
    ? { ...member, isJudgedByStatus: true }
    : member;
}
