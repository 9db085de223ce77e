import { PolicyCompileError } from "./errors.ts";

/** `metav1.LabelSelector` as it comes from a manifest. */
export interface LabelSelectorLike {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

export interface LabelRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

export type Labels = Readonly<Record<string, unknown>>;

export interface CompiledSelector {
  readonly matchesEverything: boolean;
  /** Label keys the answer depends on. */
  readonly keys: readonly string[];
  matches(labels: Labels): boolean;
}

const everything: CompiledSelector = { matchesEverything: true, keys: [], matches: () => true };

/**
 * Compiles a label selector; an absent or empty one matches everything.
 * `NotIn` also holds where the label is absent (kubernetes.io: Labels and Selectors).
 *
 * @throws PolicyCompileError for an operator that does not exist, or values where none may be (or the reverse).
 */
export function compileSelector(selector: LabelSelectorLike | undefined, path: string): CompiledSelector {
  const equals = Object.entries(selector?.matchLabels ?? {});
  const requirements = (selector?.matchExpressions ?? []).map((requirement, i) =>
    compileRequirement(requirement, `${path}.matchExpressions[${i}]`),
  );
  if (equals.length === 0 && requirements.length === 0) return everything;
  return {
    matchesEverything: false,
    keys: [...equals.map(([key]) => key), ...requirements.map(({ key }) => key)],
    matches: (labels) =>
      equals.every(([key, value]) => labelOf(labels, key) === value) &&
      requirements.every(({ key, holds }) => holds(labelOf(labels, key))),
  };
}

interface CompiledRequirement {
  readonly key: string;
  readonly holds: (value: string | undefined) => boolean;
}

function compileRequirement(
  { key, operator, values = [] }: LabelRequirement,
  path: string,
): CompiledRequirement {
  const takesValues = operator === "In" || operator === "NotIn";
  if (takesValues !== values.length > 0) {
    throw new PolicyCompileError(
      "Invalid",
      `${path}.values`,
      takesValues ? `operator ${operator} needs values` : `operator ${operator} allows no values`,
    );
  }
  const listed = new Set(values);
  switch (operator) {
    case "In":
      return { key, holds: (value) => value !== undefined && listed.has(value) };
    case "NotIn":
      return { key, holds: (value) => value === undefined || !listed.has(value) };
    case "Exists":
      return { key, holds: (value) => value !== undefined };
    case "DoesNotExist":
      return { key, holds: (value) => value === undefined };
    default:
      throw new PolicyCompileError(
        "Invalid",
        `${path}.operator`,
        `"${operator}" is no operator; use In, NotIn, Exists or DoesNotExist`,
      );
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  return typeof value === "string" ? value : undefined;
}
