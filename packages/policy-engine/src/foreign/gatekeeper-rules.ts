/** `spec.match.kinds` of a constraint, which names kinds, as resourceRules, which name resources. */
import { NATIVE_ONLY_GROUPS } from "@shieldx/crds";
import { type DefinedResources, pluralOf } from "../offline/resource-of.ts";
import { groupsOf, kindsOf, openGroups } from "./built-in-kinds.ts";
import { isTexts, type Plain, stated } from "./plain.ts";
import type { Source } from "./source.ts";

export interface RuleSurroundings {
  /** What Gatekeeper's webhook is asked about, or the template says. */
  readonly operations: readonly string[];
  /** Whether the policy is in CEL: the API server, which then evaluates it, takes wildcards. */
  readonly takesWildcards: boolean;
  /** Kinds that CustomResourceDefinitions of the load define, by `group/kind`. */
  readonly defined: DefinedResources;
}

interface Kinds {
  readonly path: string;
  readonly groups: readonly string[];
  readonly kinds: readonly string[];
}

const path = "spec.match.kinds";

export function rulesOf(constraint: Source, surroundings: RuleSurroundings): Plain[] {
  const entries = entriesOf(constraint);
  const scope = scopeOf(constraint);
  const rules = entries.flatMap((entry) =>
    surroundings.takesWildcards
      ? [wildcardRule(entry, constraint, surroundings.defined)]
      : namedRules(entry, constraint, surroundings.defined),
  );
  if (rules.length === 0 && !constraint.isFaulty)
    constraint.error(
      path,
      "names nothing that a ShieldPolicy in Rego can be about: write its kinds and their groups",
    );
  return rules.map(({ apiGroups, resources }) =>
    stated({ apiGroups, apiVersions: ["*"], operations: surroundings.operations, resources, scope }),
  );
}

interface Named {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

function entriesOf(constraint: Source): Kinds[] {
  const found = (constraint.records(path) ?? []).map((entry, index): Kinds => {
    const list = (field: "apiGroups" | "kinds"): readonly string[] => {
      const value = entry[field] ?? [];
      if (!isTexts(value)) {
        constraint.error(`${path}[${index}].${field}`, "must be a list of texts: correct it");
        return ["*"];
      }
      return value.length === 0 || value.includes("*") ? ["*"] : value;
    };
    return { path: `${path}[${index}]`, groups: list("apiGroups"), kinds: list("kinds") };
  });
  return found.length === 0 ? [{ path, groups: ["*"], kinds: ["*"] }] : found;
}

function scopeOf(constraint: Source): string | undefined {
  const scope = constraint.text("spec.match.scope");
  if (scope === undefined || scope === "*") return undefined;
  if (scope === "Namespaced" || scope === "Cluster") return scope;
  constraint.note("spec.match.scope", `${scope} is no scope, and means both to Gatekeeper: both are taken`);
  return undefined;
}

function isEverything(list: readonly string[]): boolean {
  return list.includes("*");
}

function wildcardRule({ groups, kinds }: Kinds, constraint: Source, defined: DefinedResources): Named {
  const resources = isEverything(kinds)
    ? ["*"]
    : [
        ...new Set(
          kinds.flatMap((kind) => groups.flatMap((group) => resourcesOf(group, kind, defined, constraint))),
        ),
      ];
  return { apiGroups: groups, resources };
}

/** Each group with its own resources: what has to be named is better named exactly. */
function namedRules(entry: Kinds, constraint: Source, defined: DefinedResources): Named[] {
  const byGroup = new Map<string, Set<string>>();
  for (const [group, kind] of pairsOf(entry, constraint, defined)) {
    const resources = byGroup.get(group) ?? new Set();
    byGroup.set(group, resources);
    for (const resource of resourcesOf(group, kind, defined, constraint)) resources.add(resource);
  }
  const reserved = [...byGroup.keys()].filter((group) => NATIVE_ONLY_GROUPS.includes(group));
  for (const group of reserved) {
    byGroup.delete(group);
    constraint.lost(
      entry.path,
      `no policy in Rego can be about ${group}, which ShieldX is brought back with: write a rule about it in CEL`,
    );
  }
  return [...byGroup].map(([group, resources]) => ({ apiGroups: [group], resources: [...resources] }));
}

function pairsOf(
  { path: entryPath, groups, kinds }: Kinds,
  constraint: Source,
  defined: DefinedResources,
): (readonly [group: string, kind: string])[] {
  if (isEverything(groups) && isEverything(kinds)) {
    constraint.lost(
      entryPath,
      "means every kind, and a ShieldPolicy in Rego names its resources: the built-in ones are named; add your own to spec.matchConstraints.resourceRules",
    );
    return openGroups.flatMap((group) => kindsOf(group).map((kind) => [group, kind] as const));
  }
  if (isEverything(groups)) {
    return kinds.flatMap((kind) => {
      const found = [...groupsOf(kind), ...definedGroups(kind, defined)];
      if (found.length === 0)
        constraint.lost(
          entryPath,
          `which group ${kind} is of is not told: write its apiGroups, or give its CustomResourceDefinition, too`,
        );
      return found.map((group) => [group, kind] as const);
    });
  }
  if (!isEverything(kinds)) return groups.flatMap((group) => kinds.map((kind) => [group, kind] as const));
  return groups.flatMap((group) => {
    const found = [...kindsOf(group), ...definedKinds(group, defined)];
    const what = found.length === 0 ? "none of them is known" : `these are named: ${found.join(", ")}`;
    constraint.lost(
      entryPath,
      `means every kind of group "${group}", and a ShieldPolicy in Rego names its resources: ${what}; name the others`,
    );
    return found.map((kind) => [group, kind] as const);
  });
}

function definedGroups(kind: string, defined: DefinedResources): string[] {
  return [...defined.keys()]
    .filter((key) => key.endsWith(`/${kind}`))
    .map((key) => key.slice(0, -kind.length - 1));
}

function definedKinds(group: string, defined: DefinedResources): string[] {
  return [...defined.keys()]
    .filter((key) => key.startsWith(`${group}/`))
    .map((key) => key.slice(group.length + 1));
}

/** Ephemeral containers come as a Pod, too. A rule about a resource that there is not would catch nothing, so a guess is told. */
function resourcesOf(group: string, kind: string, defined: DefinedResources, constraint: Source): string[] {
  if (kind === "Pod" && (group === "" || group === "*")) return ["pods", "pods/ephemeralcontainers"];
  const known = defined.get(`${group}/${kind}`)?.plural;
  const plural = known ?? pluralOf(kind);
  // The plurals of Kubernetes' own kinds are known to follow the rule.
  const isBuiltIn =
    group === "*" ? groupsOf(kind).length > 0 : !group.includes(".") || group.endsWith(".k8s.io");
  if (known === undefined && !isBuiltIn)
    constraint.note(
      path,
      `the resource of ${kind} is taken to be ${plural}: look whether it is, or give its CustomResourceDefinition, too`,
    );
  return [plural];
}
