import type { KubeObject } from "../kubernetes/objects.ts";

/** A change as a watch reported it. */
export type ObjectChange<T extends KubeObject = KubeObject> =
  | { readonly kind: "added"; readonly object: T; readonly isInitial: boolean }
  | { readonly kind: "updated"; readonly object: T; readonly old: T }
  | { readonly kind: "deleted"; readonly object: T };

/** Decides whether a change is worth a reconcile. Must be pure and quick: it runs for every event. */
export type Predicate<T extends KubeObject = KubeObject> = (change: ObjectChange<T>) => boolean;

/**
 * Drops updates that left `metadata.generation` alone: changes of status or metadata only. A deletion that
 * began is let through whatever the generation says.
 */
export function generationChanged(change: ObjectChange): boolean {
  if (change.kind !== "updated") return true;
  const { metadata } = change.object;
  return (
    metadata.generation !== change.old.metadata.generation ||
    metadata.deletionTimestamp !== change.old.metadata.deletionTimestamp
  );
}

/** Drops updates that left the labels alone. */
export function labelsChanged(change: ObjectChange): boolean {
  return change.kind !== "updated" || !sameEntries(change.old.metadata.labels, change.object.metadata.labels);
}

/** Drops updates that left the annotations alone. */
export function annotationsChanged(change: ObjectChange): boolean {
  return (
    change.kind !== "updated" ||
    !sameEntries(change.old.metadata.annotations, change.object.metadata.annotations)
  );
}

/** Lets through what any of the predicates lets through. */
export function anyOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.some((predicate) => predicate(change));
}

/** Lets through what all of the predicates let through. */
export function allOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.every((predicate) => predicate(change));
}

function sameEntries(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
