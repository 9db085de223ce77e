import type { Expr, ExprFactory } from "./ast.ts";

/** A call that the parser replaces by other code before anything is evaluated. */
export interface CelMacro {
  readonly name: string;
  /** Arguments without the receiver. */
  readonly argCount: number | "any";
  /** `receiver.name(args)` rather than `name(args)`. */
  readonly isMember: boolean;
  /**
   * The code to put in place; undefined leaves the call as it is. Report a misuse by `make.fail(at, message)`.
   * `target` is undefined for a macro that is not a member.
   */
  readonly expand: (make: ExprFactory, target: Expr | undefined, args: readonly Expr[]) => Expr | undefined;
}
