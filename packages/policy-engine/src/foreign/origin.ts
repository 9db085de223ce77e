import type { Draft } from "./draft.ts";
import type { ObjectName } from "./foreign.ts";
import type { Source } from "./source.ts";

/** One product whose policies are understood. */
export interface Origin {
  understands(name: ObjectName): boolean;
  /** @param sources those objects of the load that it understands; @param objects all there are */
  drafts(sources: readonly Source[], objects: readonly unknown[]): readonly Draft[];
}
