/** One thing in a policy that the API server would refuse. */
export interface RuleProblem {
  /** Where, for example `spec.validations[2].expression`. */
  readonly path: string;
  /** What and, in an expression, at which line and column, both counted from 1. */
  readonly message: string;
  /** The same as the API server words it in the cause of its refusal. */
  readonly detail: string;
}

/** Thrown when a policy's rules cannot be compiled: everything that is wrong with them, in the order of the spec. */
export class CelRulesError extends Error {
  readonly problems: readonly RuleProblem[];

  constructor(problems: readonly RuleProblem[], options?: ErrorOptions) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join("\n"), options);
    this.name = "CelRulesError";
    this.problems = problems;
  }
}
