/** What a ShieldGenerator wants in a namespace. */
import {
  GENERATED_KINDS,
  type GeneratedKind,
  generatedKindOf,
  type ShieldGeneratorSpec,
} from "@shieldx/crds";
import type { IsLate } from "../cel/admission/expression.ts";
import { isJsonRecord, type Json, type JsonRecord, ownValue } from "../cel/kubernetes/json.ts";
import { exactJsonText } from "../exact-json.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { compileSelector, type Labels } from "../policy-set/selector.ts";
import { compileStanding, type Held, type StandingSubject } from "./expressions.ts";
import { expressionIn, expressionsOf, filled } from "./template.ts";

/** Most bytes of one object's JSON: what is kept in a thousand namespaces has to be small. */
const MAX_OBJECT_BYTES = 65_536;

/** Which object an entry is about; the same in every namespace. */
export interface GeneratedEntry {
  /** Name of the entry. */
  readonly name: string;
  readonly kind: GeneratedKind;
  readonly objectName: string;
  readonly synchronize: boolean;
}

export interface RenderedEntry extends GeneratedEntry {
  /** Without namespace; undefined where an expression came to no value, as `problem` says. */
  readonly object: JsonRecord | undefined;
  readonly problem?: string;
}

/** A namespace as the API server returns it. */
export interface NamespaceLike {
  readonly metadata: { readonly name: string; readonly labels?: Labels };
}

export interface CompiledGenerator {
  readonly entries: readonly GeneratedEntry[];
  /** Whether the namespace receives the objects. */
  matches(namespace: NamespaceLike, isLate: IsLate): Held;
  render(namespace: NamespaceLike, isLate: IsLate): readonly RenderedEntry[];
}

/** @throws PolicyCompileError with the field and the remedy */
export function compileGenerator(spec: ShieldGeneratorSpec): CompiledGenerator {
  const selector = compileSelector(spec.namespaceSelector, "spec.namespaceSelector");
  const entries = spec.objects.map((entry, index) => entryOf(entry, `spec.objects[${index}].object`));
  refuseTwins(entries);
  const templates = entries.map(({ template, path }) => ({
    template,
    path,
    fields: expressionsOf(template, path),
  }));
  const expressions = compileStanding({
    matchConditions: spec.matchConditions,
    variables: spec.variables,
    values: templates.flatMap(({ fields }) => fields),
    seesObject: false,
  });
  return {
    entries: entries.map(({ entry }) => entry),
    matches: (namespace, isLate) =>
      selector.matches(namespace.metadata.labels ?? {})
        ? expressions.holds(subject(namespace), isLate)
        : { kind: "no" },
    render: (namespace, isLate) => {
      const values = expressions.values(subject(namespace), isLate);
      let at = 0;
      return templates.map(({ template, path, fields }, index): RenderedEntry => {
        const entry = entries[index]?.entry as GeneratedEntry;
        const made = filled(template, path, values.slice(at, at + fields.length));
        at += fields.length;
        if ("problem" in made) return { ...entry, object: undefined, problem: made.problem };
        return { ...entry, object: made.object as JsonRecord };
      });
    },
  };
}

const subject = (namespaceObject: NamespaceLike): StandingSubject => ({ namespaceObject });

interface ParsedEntry {
  readonly entry: GeneratedEntry;
  readonly template: JsonRecord;
  readonly path: string;
}

function entryOf(
  { name, object, synchronize }: ShieldGeneratorSpec["objects"][number],
  path: string,
): ParsedEntry {
  const template = object as JsonRecord;
  const kind = generatedKindOf(ownValue(template, "apiVersion"), ownValue(template, "kind"));
  if (kind === undefined) throw invalid(`${path}.kind`, kindProblem(template));
  const size = Buffer.byteLength(exactJsonText(template));
  if (size > MAX_OBJECT_BYTES)
    throw invalid(
      path,
      `has ${size} bytes: at most ${MAX_OBJECT_BYTES} are kept in every namespace, make it smaller`,
    );
  if (ownValue(template, "status") !== undefined)
    throw invalid(`${path}.status`, "is written by the cluster: remove it");
  const objectName = nameIn(ownValue(template, "metadata"), `${path}.metadata`);
  return { entry: { name, kind, objectName, synchronize: synchronize ?? true }, template, path };
}

function kindProblem(template: JsonRecord): string {
  const told = (key: string): string => {
    const value = ownValue(template, key);
    return typeof value === "string" ? value.slice(0, 80) : "nothing";
  };
  const known = GENERATED_KINDS.map(
    ({ group, version, kind }) => `${group === "" ? "" : `${group}/`}${version} ${kind}`,
  );
  return `${told("apiVersion")} ${told("kind")} is not among the kinds that are generated: use one of ${known.join(", ")}`;
}

const METADATA = ["name", "labels", "annotations"];

function nameIn(metadata: Json | undefined, path: string): string {
  if (!isJsonRecord(metadata)) throw invalid(path, "give the object a name");
  const other = Object.keys(metadata).find((key) => !METADATA.includes(key));
  if (other !== undefined)
    throw invalid(
      `${path}.${other.slice(0, 80)}`,
      `remove it: ${METADATA.join(", ")} can be set, the namespace is each that matches`,
    );
  const name = ownValue(metadata, "name");
  if (typeof name !== "string" || expressionIn(name) !== undefined)
    throw invalid(`${path}.name`, "must be written out: it says in every namespace which object is meant");
  if (name.length > 253 || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name))
    throw invalid(`${path}.name`, "must be lower case letters, digits, '-' and '.', at most 253 characters");
  for (const field of ["labels", "annotations"]) refuseOurs(ownValue(metadata, field), `${path}.${field}`);
  return name;
}

function refuseOurs(map: Json | undefined, path: string): void {
  // null is what server-side apply leaves of a map whose last key is taken away.
  if (map === undefined || map === null) return;
  if (!isJsonRecord(map)) throw invalid(path, "must be a map of strings");
  const ours = Object.keys(map).find((key) => key.startsWith("shieldx.io/"));
  if (ours !== undefined) throw invalid(`${path}.${ours.slice(0, 80)}`, "is ShieldX's own to set: remove it");
}

function refuseTwins(entries: readonly ParsedEntry[]): void {
  const seen = new Map<string, string>();
  for (const { entry, path } of entries) {
    const id = `${entry.kind.kind} ${entry.objectName}`;
    const first = seen.get(id);
    if (first !== undefined)
      throw invalid(`${path}.metadata.name`, `${id} is entry ${first} already: choose another name`);
    seen.set(id, entry.name);
  }
}

function invalid(path: string, message: string): PolicyCompileError {
  return new PolicyCompileError("Invalid", path, message);
}
