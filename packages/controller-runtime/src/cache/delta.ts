import type { KubeObject } from "../kubernetes/objects.ts";

/**
 * A change of the cache. Per key the sequence is always added, any number of updated, deleted, and all between
 * one added and its deleted carry the same uid: an object deleted and created again under its name while we
 * were not looking is a deleted followed by an added.
 */
export type Delta<T extends KubeObject> =
  | { type: "added"; object: T }
  | { type: "updated"; old: T; object: T }
  /** `last` is the state at deletion, or, when `isLastStateKnown` is false, the last one we saw before it. */
  | { type: "deleted"; last: T; isLastStateKnown: boolean };
