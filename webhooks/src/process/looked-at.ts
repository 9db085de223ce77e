import { type Client, type Clock, type Logger, ReferencedObjects } from "@shieldx/controller-runtime";
import { namespaceOfPolicy, type PolicyProblem } from "@shieldx/crds";
import {
  type CompiledPolicy,
  type EvaluationContext,
  Inventory,
  inventoryAtHand,
  inventoryReferences,
  type PolicySet,
  paramReferences,
  parseExactJson,
  TenantTime,
} from "@shieldx/policy-engine";

export interface LookedAtParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** ShieldX's own. */
  readonly namespace: string;
  /** Ends all watches. */
  readonly signal: AbortSignal;
  /** More is known, or it is clear that it will not be soon. */
  readonly onProgress: () => void;
}

const grant = (value: string) =>
  `set ${value} of the chart, or grant list and watch on them to the ServiceAccount shieldx-webhooks`;

/** What one watch for a tenant may hold, and how long a new set waits for what tenants look at. */
const tenantLimits = { maxBytes: 4 * 2 ** 20, patienceMs: 2_000 } as const;

/** What policies look at beside the request: parameters and, apart from them, the inventory. */
class Objects {
  readonly #params: ReferencedObjects;
  readonly #inventory = new Inventory();
  /** Apart from parameters: a kind that comes to too much here must not take their parameters from others. */
  readonly #inventoried: ReferencedObjects;
  readonly context: Pick<EvaluationContext, "params" | "inventory">;

  constructor(
    { signal: _signal, ...around }: LookedAtParts,
    limits: Partial<Record<keyof typeof tenantLimits, number>>,
  ) {
    const parts = { ...around, parse: parseExactJson };
    this.#params = new ReferencedObjects({ ...parts, ...limits, remedy: grant("rbac.paramKinds") });
    this.#inventoried = new ReferencedObjects({
      ...parts,
      ...limits,
      feed: this.#inventory,
      remedy: grant("rbac.inventoryKinds"),
      remedyForSize: "take the kind out of spec.rego.inventory",
    });
    this.context = {
      params: this.#params.lookUp,
      inventory: inventoryAtHand(this.#inventory.documents, this.#inventoried.lookUp),
    };
  }

  hold(policies: readonly CompiledPolicy[], signal: AbortSignal): void {
    for (const [objects, references] of this.#kinds)
      objects.hold(
        references(policies, "requests").map(({ reference }) => reference),
        signal,
      );
  }

  get isSettled(): boolean {
    return this.#params.isSettled && this.#inventoried.isSettled;
  }

  problems(policies: readonly CompiledPolicy[]): PolicyProblem[] {
    return this.#kinds.flatMap(([objects, references]) =>
      references(policies, "requests").flatMap(({ policy, reference }) => {
        const problem = objects.problem(reference);
        return problem === undefined ? [] : [{ policy, reason: problem.reason, message: problem.message }];
      }),
    );
  }

  get #kinds() {
    return [
      [this.#params, paramReferences],
      [this.#inventoried, inventoryReferences],
    ] as const;
  }
}

/**
 * The objects that policies in force look at beside the request, and those of policies that are about to be in force. What
 * tenants look at is kept apart, watched in their namespaces only, and waited for only so long.
 */
export class LookedAt {
  readonly #parts: LookedAtParts;
  readonly #ofCluster: Objects;
  readonly #ofTenants: Objects;
  #tenantsOpenSinceMs: number | undefined;
  readonly context: Pick<EvaluationContext, "params" | "inventory" | "tenants">;

  constructor(parts: LookedAtParts) {
    this.#parts = parts;
    this.#ofCluster = new Objects(parts, {});
    this.#ofTenants = new Objects(parts, tenantLimits);
    const time = new TenantTime(() => parts.clock.monotonicNow());
    this.context = { ...this.#ofCluster.context, tenants: { ...this.#ofTenants.context, time } };
  }

  /**
   * Watches what these sets refer to, and says whether it is known, so far as it will be soon: a set that is not in force
   * yet waits for that, so that no request meets a policy that finds half of what it looks at.
   */
  prepare(...sets: readonly PolicySet[]): boolean {
    const versions = sets.flatMap((set) => set.versions);
    this.#ofCluster.hold(versions.filter(isOfCluster), this.#parts.signal);
    this.#ofTenants.hold(
      versions.filter((policy) => !isOfCluster(policy)),
      this.#parts.signal,
    );
    return this.#ofCluster.isSettled && this.#areTenantsSettled;
  }

  /** Who refers to something else all the time must not keep the cluster's policies from changing. */
  get #areTenantsSettled(): boolean {
    const nowMs = this.#parts.clock.monotonicNow();
    if (this.#ofTenants.isSettled) this.#tenantsOpenSinceMs = undefined;
    else this.#tenantsOpenSinceMs ??= nowMs;
    const since = this.#tenantsOpenSinceMs;
    return since === undefined || nowMs - since >= tenantLimits.patienceMs;
  }

  /** Policies of the set by which requests cannot be judged, and why. */
  problems({ versions }: PolicySet): PolicyProblem[] {
    return [
      ...this.#ofCluster.problems(versions.filter(isOfCluster)),
      ...this.#ofTenants.problems(versions.filter((policy) => !isOfCluster(policy))),
    ];
  }
}

function isOfCluster({ name }: CompiledPolicy): boolean {
  return namespaceOfPolicy(name) === undefined;
}
