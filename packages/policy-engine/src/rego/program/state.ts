import type { RegoProgram } from "./program.ts";

/** How far a source has come. */
export type RegoState =
  | { readonly kind: "ready"; readonly program: RegoProgram }
  /** It does not compile, and never will as it is. */
  | { readonly kind: "refused"; readonly problem: string }
  /** `failure`: why the compiler could not be run so far; it will be tried again. */
  | { readonly kind: "compiling"; readonly failure?: string | undefined };
