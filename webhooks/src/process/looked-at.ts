import { type Client, type Clock, type Logger, ReferencedObjects } from "@shieldx/controller-runtime";
import type { PolicyProblem } from "@shieldx/crds";
import {
  type EvaluationContext,
  Inventory,
  inventoryAtHand,
  inventoryReferences,
  type PolicySet,
  paramReferences,
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

/** The objects that policies in force look at beside the request, and those of policies that are about to be in force. */
export class LookedAt {
  readonly #signal: AbortSignal;
  readonly #params: ReferencedObjects;
  readonly #inventory = new Inventory();
  /** Apart from parameters: a kind that comes to too much here must not take their parameters from others. */
  readonly #inventoried: ReferencedObjects;
  readonly context: Pick<EvaluationContext, "params" | "inventory">;

  constructor({ signal, ...parts }: LookedAtParts) {
    this.#signal = signal;
    this.#params = new ReferencedObjects({ ...parts, remedy: grant("rbac.paramKinds") });
    this.#inventoried = new ReferencedObjects({
      ...parts,
      feed: this.#inventory,
      remedy: grant("rbac.inventoryKinds"),
      remedyForSize: "take the kind out of spec.rego.inventory",
    });
    this.context = {
      params: this.#params.lookUp,
      inventory: inventoryAtHand(this.#inventory.documents, this.#inventoried.lookUp),
    };
  }

  /**
   * Watches what these sets refer to, and says whether it is known, so far as it will be soon: a set that is not in force
   * yet waits for that, so that no request meets a policy that finds half of what it looks at.
   */
  prepare(...sets: readonly PolicySet[]): boolean {
    for (const [objects, references] of this.#kinds)
      objects.hold(
        sets.flatMap(({ versions }) => references(versions, "requests").map(({ reference }) => reference)),
        this.#signal,
      );
    return this.#params.isSettled && this.#inventoried.isSettled;
  }

  /** Policies of the set by which requests cannot be judged, and why. */
  problems({ versions }: PolicySet): PolicyProblem[] {
    return this.#kinds.flatMap(([objects, references]) =>
      references(versions, "requests").flatMap(({ policy, reference }) => {
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
