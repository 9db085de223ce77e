import { createHash } from "node:crypto";
import type { RenderedBinding, RenderedPolicy, RenderedValidatingAdmissionPolicy } from "./render.ts";
import { NOT_BEING_DELETED, NOT_NAMESPACE_CLEANUP } from "./reserved-conditions.ts";

/** What policies must have in common to share an admission policy: all but who they are, when they apply and what they demand. */
export interface Head {
  readonly spec: Pick<
    RenderedValidatingAdmissionPolicy["spec"],
    "failurePolicy" | "matchConstraints" | "matchConditions"
  >;
  readonly validationActions: RenderedBinding["spec"]["validationActions"];
  /** Short, and equal where all of this is. */
  readonly key: string;
}

/** Conditions that follow from the constraints, and so are the same for all that share them. */
export const sharedConditions: readonly string[] = [NOT_BEING_DELETED, NOT_NAMESPACE_CLEANUP];

export function headOf(
  { spec }: RenderedPolicy["policy"],
  { spec: bindingSpec }: RenderedPolicy["binding"],
): Head {
  const { failurePolicy, matchConstraints, matchConditions } = spec;
  const head = {
    spec: {
      failurePolicy,
      matchConstraints: normalized(matchConstraints) as typeof matchConstraints,
      matchConditions: matchConditions.filter(({ name }) => sharedConditions.includes(name)),
    },
    validationActions: bindingSpec.validationActions,
  };
  const key = createHash("sha256")
    .update(JSON.stringify(normalized(head)))
    .digest("hex")
    .slice(0, 10);
  return { ...head, key };
}

/** Fields in one order, and lists of words too: each of those is a set. */
function normalized(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(normalized);
    return items.every((item) => typeof item === "string") ? [...items].sort() : items;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, below]) => below !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, below]) => [name, normalized(below)]),
  );
}
