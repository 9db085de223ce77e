import type { Covered } from "./coverage.ts";

export interface AuditViolation {
  readonly checkId: string;
  readonly detail: string;
}

/** One policy's judgement on one object that offends. */
export interface AuditFinding {
  readonly policy: string;
  /** `warn` of a policy that would only warn of it at admission. */
  readonly result: "fail" | "warn";
  readonly message: string;
  readonly violations: readonly AuditViolation[];
}

/** What was found about one object. */
export interface Judgement extends Covered {
  /** How many of the policies came to no verdict. */
  readonly errors: number;
  readonly findings: readonly AuditFinding[];
}
