import type { CompileEnvironment } from "../policy-set/compile.ts";

/** The objects in a file, named relative to that of the test; a text says why there are none. */
export type ReadObjects = (path: string) => readonly unknown[] | string;

export interface RunEnvironment extends CompileEnvironment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly monotonicNow: () => number;
}
