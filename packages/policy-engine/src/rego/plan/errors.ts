/** Thrown by `loadPlan`: the plan is not one OPA's planner makes, or is larger than the limits allow. */
export class PlanError extends Error {
  readonly code = "INVALID_PLAN";
  /** Where in the plan, as a path of keys: `funcs.funcs[3].blocks[0]`. */
  readonly path: string;
  constructor(path: string, problem: string) {
    super(`${path || "plan"}: ${problem}`);
    this.name = "PlanError";
    this.path = path;
  }
}
