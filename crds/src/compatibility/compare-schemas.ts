/** What in a new schema could refuse, or read differently, an object that was right under the old one. */
import type { StructuralSchema } from "../structural/structural-schema.ts";

/** One incompatible change. */
export interface Incompatibility {
  /** Where, e.g. `v1alpha1 spec.actions.admission`. */
  path: string;
  /** What was changed, with the old and the new value. */
  change: string;
}

type Report = (path: string, change: string) => void;

/** Incompatible changes from `before` to `after`, in the order of the old schema. */
export function compareSchemas(
  before: StructuralSchema,
  after: StructuralSchema,
  path = "",
): Incompatibility[] {
  const found: Incompatibility[] = [];
  compareNode(before, after, path, (where, change) => found.push({ path: where, change }));
  return found;
}

function compareNode(before: StructuralSchema, after: StructuralSchema, path: string, report: Report): void {
  compareType(before, after, path, report);
  compareEnum(before, after, path, report);
  compareBounds(before, after, path, report);
  compareForm(before, after, path, report);
  compareExtensions(before, after, path, report);
  compareDefault(before, after, path, report);
  compareRules(before, after, path, report);
  compareProperties(before, after, path, report);
  if (before.items !== undefined && after.items !== undefined) {
    compareNode(before.items, after.items, `${path}[]`, report);
  }
  if (before.additionalProperties !== undefined && after.additionalProperties !== undefined) {
    compareNode(before.additionalProperties, after.additionalProperties, `${path}{}`, report);
  }
}

function compareType(before: StructuralSchema, after: StructuralSchema, path: string, report: Report): void {
  const widened = before.type === "integer" && after.type === "number";
  const freed = after.type === undefined && after["x-kubernetes-preserve-unknown-fields"] === true;
  if (before.type !== after.type && !widened && !freed) {
    report(path, `type changed from ${before.type ?? "any"} to ${after.type ?? "any"}`);
  }
  if (before.nullable && !after.nullable) report(path, "null is no longer allowed");
}

function compareEnum(before: StructuralSchema, after: StructuralSchema, path: string, report: Report): void {
  if (after.enum === undefined) return;
  const allowed = new Set(after.enum.map((value) => JSON.stringify(value)));
  if (before.enum === undefined) {
    report(path, `values were limited to ${[...allowed].join(", ")}`);
    return;
  }
  for (const value of before.enum) {
    if (!allowed.has(JSON.stringify(value))) report(path, `value ${JSON.stringify(value)} was removed`);
  }
}

const UPPER = ["maxLength", "maxItems", "maxProperties", "maximum"] as const;
const LOWER = ["minLength", "minItems", "minProperties", "minimum"] as const;

function compareBounds(
  before: StructuralSchema,
  after: StructuralSchema,
  path: string,
  report: Report,
): void {
  for (const bound of UPPER) {
    const [was = Number.POSITIVE_INFINITY, is = Number.POSITIVE_INFINITY] = [before[bound], after[bound]];
    if (is < was) report(path, `${bound} was lowered from ${before[bound] ?? "none"} to ${is}`);
  }
  for (const bound of LOWER) {
    const none = bound === "minimum" ? Number.NEGATIVE_INFINITY : 0;
    const [was = none, is = none] = [before[bound], after[bound]];
    if (is > was) report(path, `${bound} was raised from ${before[bound] ?? "none"} to ${is}`);
  }
  for (const end of ["exclusiveMinimum", "exclusiveMaximum"] as const) {
    if (after[end] && !before[end]) report(path, `${end} was set`);
  }
}

function compareForm(before: StructuralSchema, after: StructuralSchema, path: string, report: Report): void {
  for (const keyword of ["pattern", "format", "multipleOf"] as const) {
    if (after[keyword] !== undefined && after[keyword] !== before[keyword]) {
      report(path, `${keyword} changed from ${before[keyword] ?? "none"} to ${after[keyword]}`);
    }
  }
}

const EXTENSIONS = [
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
  "x-kubernetes-embedded-resource",
] as const;

function compareExtensions(
  before: StructuralSchema,
  after: StructuralSchema,
  path: string,
  report: Report,
): void {
  for (const extension of EXTENSIONS) {
    const [was, is] = [JSON.stringify(before[extension]), JSON.stringify(after[extension])];
    if (was !== is) report(path, `${extension} changed from ${was ?? "none"} to ${is ?? "none"}`);
  }
  for (const extension of ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"] as const) {
    if (before[extension] && !after[extension]) report(path, `${extension} was removed`);
  }
}

function compareDefault(
  before: StructuralSchema,
  after: StructuralSchema,
  path: string,
  report: Report,
): void {
  const [was, is] = [JSON.stringify(before.default), JSON.stringify(after.default)];
  if (was !== is) report(path, `default changed from ${was ?? "none"} to ${is ?? "none"}`);
}

const REFUSES = /^!has\(self\.(\w+)\)$/;

/** Fields a schema has and refuses altogether: nobody can have set them. */
function refusedFields(schema: StructuralSchema): Set<string> {
  const rules = schema["x-kubernetes-validations"] ?? [];
  return new Set(rules.flatMap(({ rule }) => REFUSES.exec(rule)?.[1] ?? []));
}

function compareRules(before: StructuralSchema, after: StructuralSchema, path: string, report: Report): void {
  const known = new Set((before["x-kubernetes-validations"] ?? []).map(({ rule }) => rule));
  for (const { rule, message } of after["x-kubernetes-validations"] ?? []) {
    if (known.has(rule)) continue;
    const refused = REFUSES.exec(rule)?.[1];
    const isNewField = refused !== undefined && before.properties?.[refused] === undefined;
    if (!isNewField) report(path, `rule was added: ${rule} (${message})`);
  }
}

function compareProperties(
  before: StructuralSchema,
  after: StructuralSchema,
  path: string,
  report: Report,
): void {
  const refused = refusedFields(before);
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  for (const [name, was] of Object.entries(before.properties ?? {})) {
    if (refused.has(name)) continue;
    const is = after.properties?.[name];
    if (is !== undefined) compareNode(was, is, at(name), report);
    else if (!after["x-kubernetes-preserve-unknown-fields"]) report(at(name), "field was removed");
  }
  for (const name of after.required ?? []) {
    const wasRequired = before.required?.includes(name) ?? false;
    const isFilledIn = after.properties?.[name]?.default !== undefined;
    if (!wasRequired && !isFilledIn) report(at(name), "field became required");
  }
}
