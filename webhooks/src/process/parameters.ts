import { type Client, type Clock, type Logger, ReferencedObjects } from "@shieldx/controller-runtime";
import type { PolicyProblem } from "@shieldx/crds";
import { type ParamLookup, type PolicySet, paramReferences } from "@shieldx/policy-engine";

export interface ParametersParts {
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

/** The parameter objects of the policies in force, and of those that are about to be. */
export class Parameters {
  readonly #objects: ReferencedObjects;
  readonly #signal: AbortSignal;

  constructor({ signal, ...parts }: ParametersParts) {
    this.#signal = signal;
    this.#objects = new ReferencedObjects({
      ...parts,
      remedy:
        "set rbac.paramKinds of the chart, or grant list and watch on them to the ServiceAccount shieldx-webhooks",
    });
  }

  get lookUp(): ParamLookup {
    return this.#objects.lookUp;
  }

  /**
   * Watches what these sets refer to, and says whether it is known, so far as it will be soon: a set that is not in force
   * yet waits for that, so that no request meets a policy whose parameters are half-known.
   */
  prepare(...sets: readonly PolicySet[]): boolean {
    this.#objects.hold(
      sets.flatMap(({ policies }) => paramReferences(policies, "requests").map(({ reference }) => reference)),
      this.#signal,
    );
    return this.#objects.isSettled;
  }

  /** Policies of the set by which requests cannot be judged, and why. */
  problems({ policies }: PolicySet): PolicyProblem[] {
    return paramReferences(policies, "requests").flatMap(({ policy, reference }) => {
      const problem = this.#objects.problem(reference);
      return problem === undefined ? [] : [{ policy, reason: problem.reason, message: problem.message }];
    });
  }
}
