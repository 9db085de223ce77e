/** Gatekeeper's ConstraintTemplates and constraints: a ShieldPolicy for each constraint. */
import { type DefinedResources, definedResources } from "../offline/resource-of.ts";
import { type Draft, looksAtUser, type Place } from "./draft.ts";
import { actionsOf } from "./gatekeeper-actions.ts";
import { celOf, givenVariables } from "./gatekeeper-cel.ts";
import { type Synced, syncedBy } from "./gatekeeper-inventory.ts";
import { matchOf } from "./gatekeeper-match.ts";
import { regoOf } from "./gatekeeper-rego.ts";
import { type CelCode, type Template, templateOf } from "./gatekeeper-template.ts";
import type { Origin } from "./origin.ts";
import { withDefaults } from "./parameter-defaults.ts";
import { isTexts, type Plain } from "./plain.ts";
import { groupOf, type Source } from "./source.ts";

const groups = [
  "templates.gatekeeper.sh",
  "constraints.gatekeeper.sh",
  "config.gatekeeper.sh",
  "syncset.gatekeeper.sh",
];

export const gatekeeper: Origin = {
  understands: (name) =>
    groups.includes(groupOf(name)) &&
    (groupOf(name) !== "templates.gatekeeper.sh" || name.kind === "ConstraintTemplate"),
  drafts(sources, objects) {
    const of = (group: string) => sources.filter(({ name }) => groupOf(name) === group);
    const configs = [...of("config.gatekeeper.sh"), ...of("syncset.gatekeeper.sh")];
    const surroundings: Surroundings = {
      synced: configs.flatMap(syncedBy),
      excluded: configs.flatMap(excludedBy),
      defined: definedResources(objects),
    };
    const all = of("templates.gatekeeper.sh");
    const templates = new Map(all.flatMap((source) => byKind(templateOf(source))));
    const constraints = of("constraints.gatekeeper.sh");
    const given = new Set(all.map((source) => source.get("spec.crd.spec.names.kind")));
    tellUnused(templates.values(), constraints);
    return constraints.flatMap((constraint) => {
      const template = templates.get(constraint.name.kind);
      if (template !== undefined) return draftOf(template, constraint, surroundings);
      const why = given.has(constraint.name.kind)
        ? uncarried
        : `there is no ConstraintTemplate of kind ${constraint.name.kind} among the files: give it, too`;
      constraint.error("", why);
      return [];
    });
  },
};

const uncarried = "its ConstraintTemplate cannot be carried over";

interface Surroundings {
  readonly synced: Synced;
  /** Namespaces that a Config leaves out for all. */
  readonly excluded: readonly string[];
  readonly defined: DefinedResources;
}

function byKind(template: Template | undefined): [string, Template][] {
  return template === undefined ? [] : [[template.kind, template]];
}

function tellUnused(templates: Iterable<Template>, constraints: readonly Source[]): void {
  const used = new Set(constraints.map(({ name }) => name.kind));
  for (const { source, kind } of templates)
    if (!used.has(kind))
      source.note(
        "",
        `no constraint of kind ${kind} is among the files: a ShieldPolicy is made for each, so that none is`,
      );
}

/** `spec.match` of a Config: what its processes leave out. */
function excludedBy(config: Source): readonly string[] {
  return (config.records("spec.match") ?? []).flatMap(({ processes, excludedNamespaces }) => {
    if (!isTexts(processes) || !isTexts(excludedNamespaces)) return [];
    if (processes.includes("*") || processes.includes("webhook")) return excludedNamespaces;
    config.lost(
      "spec.match",
      `namespaces left out of ${processes.join(", ")} only are not: a ShieldPolicy leaves them out of everything, or of nothing`,
    );
    return [];
  });
}

function draftOf(
  template: Template,
  constraint: Source,
  { synced, excluded, defined }: Surroundings,
): Draft[] {
  constraint.known("spec", ["match", "parameters", "enforcementAction", "scopedEnforcementActions"]);
  const { source, code, operations } = template;
  if (code === undefined) return [];
  const surroundings = { operations, takesWildcards: code.engine === "cel", defined };
  const { matchConstraints, matchConditions } = matchOf(constraint, surroundings, excluded);
  const parameters = constraint.record("spec.parameters") ?? {};
  const schema = template.parameters;
  const complete = withDefaults(parameters, schema);
  const made: Plain | undefined =
    code.engine === "cel"
      ? celOf(template.source, code, complete, constraint)
      : rego(regoOf(template, code, complete, constraint, synced));
  const actions = actionsOf(constraint);
  if (source.isFaulty) constraint.error("", uncarried);
  if (made === undefined || constraint.isFaulty) return [];
  const conditions = Array.isArray(made.matchConditions) ? made.matchConditions : [];
  const spec = {
    ...made,
    matchConstraints,
    matchConditions: [...conditions, ...matchConditions],
    actions: backgroundFor(actions, made, constraint),
  };
  const { name } = constraint.name;
  return [
    {
      from: [source, constraint],
      names: [name, `${constraint.name.kind}-${name}`],
      spec,
      placeOf: (path) => placeOf(path, template, constraint, conditions.length),
    },
  ];
}

function rego(parts: Plain | undefined): Plain | undefined {
  return parts && { engine: "rego", rego: parts };
}

/** What is about the code is the template's, the rest the constraint's. */
function placeOf(path: string, { source, code }: Template, constraint: Source, conditions: number): Place {
  if (path.startsWith("spec.rego") && !path.includes("inventory")) return { source, path: "spec.targets[0]" };
  const from = code?.engine === "cel" ? celPath(path, code, conditions) : undefined;
  if (from !== undefined) return { source, path: from };
  return { source: constraint, path: path.startsWith("spec.match") ? "spec.match" : "" };
}

/** Variables of the template come after those that Gatekeeper gives it. */
function celPath(path: string, code: CelCode, conditions: number): string | undefined {
  const found = /^spec\.(validations|variables|matchConditions)\[(\d{1,4})\](.*)$/s.exec(path);
  const [, field, index, rest = ""] = found ?? [];
  if (field === undefined || index === undefined) return undefined;
  const at = Number(index) - (field === "variables" ? givenVariables(code.source, undefined).length : 0);
  if (at < 0 || (field === "matchConditions" && at >= conditions)) return undefined;
  return `${code.path}.${field}[${at}]${rest}`;
}

type Actions = ReturnType<typeof actionsOf>;

function backgroundFor(actions: Actions, made: Plain, constraint: Source): Actions {
  if (actions.background === "off" || !looksAtUser(made)) return actions;
  constraint.lost("", "looks at who asks, which objects that exist do not tell: only requests are judged");
  return { ...actions, background: "off" };
}
