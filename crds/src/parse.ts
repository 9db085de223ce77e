/** Reads our kinds offline as the API server would: defaults filled in, every rule checked, every problem named. */
import type * as z from "zod";
import { kindSchema } from "./definition/custom-resource-definition.ts";
import type { KindDefinition } from "./definition/kind.ts";
import { kinds } from "./kinds.ts";
import { type NamespacedShieldPolicy, namespacedShieldPolicyKind } from "./namespacedshieldpolicy/schema.ts";
import { type ShieldBreakGlass, shieldBreakGlassKind } from "./shieldbreakglass/schema.ts";
import { type ShieldCleanup, shieldCleanupKind } from "./shieldcleanup/schema.ts";
import { type ShieldException, shieldExceptionKind } from "./shieldexception/schema.ts";
import { type ShieldGenerator, shieldGeneratorKind } from "./shieldgenerator/schema.ts";
import { type ShieldPolicy, shieldPolicyKind } from "./shieldpolicy/schema.ts";
import { hostileJson } from "./structural/hostile-json.ts";
import { withoutNullFields } from "./structural/nulls.ts";
import type { StructuralSchema } from "./structural/structural-schema.ts";
import { type UnknownField, unknownFields } from "./structural/unknown-fields.ts";

/** One thing wrong with an object. */
export interface ObjectProblem {
  /** Field as people write it, e.g. `spec.validations[0].expression`; empty for the object as a whole. */
  path: string;
  /** What is wrong there and what to do. */
  message: string;
}

/** How to read an object. */
export interface ParseOptions {
  /**
   * `refuse` (default) names fields the schema does not know, as `kubectl apply` does; `drop` ignores them, for objects
   * read from an API server that may serve a newer schema than ours.
   */
  unknownFields?: "refuse" | "drop";
}

/** Thrown when an object does not keep its kind's schema; `problems` has every reason. */
export class InvalidObjectError extends Error {
  readonly code = "INVALID_OBJECT";
  readonly problems: readonly ObjectProblem[];

  constructor(subject: string, problems: readonly ObjectProblem[]) {
    super(`${subject} is invalid: ${problems.map(inWords).join("; ")}`);
    this.name = "InvalidObjectError";
    this.problems = problems;
  }
}

function inWords({ path, message }: ObjectProblem): string {
  return path === "" ? message : `${path}: ${message}`;
}

/** Most problems reported for one object; a hostile object must not make a hostile message. */
const MAX_PROBLEMS = 25;

/**
 * A ShieldPolicy with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseShieldPolicy(value: unknown, options: ParseOptions = {}): ShieldPolicy {
  return parseObject(shieldPolicyKind, value, options);
}

/**
 * A NamespacedShieldPolicy with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseNamespacedShieldPolicy(
  value: unknown,
  options: ParseOptions = {},
): NamespacedShieldPolicy {
  return parseObject(namespacedShieldPolicyKind, value, options);
}

/**
 * A ShieldException with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseShieldException(value: unknown, options: ParseOptions = {}): ShieldException {
  return parseObject(shieldExceptionKind, value, options);
}

/**
 * A ShieldGenerator with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseShieldGenerator(value: unknown, options: ParseOptions = {}): ShieldGenerator {
  return parseObject(shieldGeneratorKind, value, options);
}

/**
 * A ShieldCleanup with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseShieldCleanup(value: unknown, options: ParseOptions = {}): ShieldCleanup {
  return parseObject(shieldCleanupKind, value, options);
}

/**
 * A ShieldBreakGlass.
 * @throws InvalidObjectError with the field and the remedy of every problem
 */
export function parseShieldBreakGlass(value: unknown, options: ParseOptions = {}): ShieldBreakGlass {
  return parseObject(shieldBreakGlassKind, value, options);
}

/**
 * An object of any of our kinds, with its defaults applied.
 * @throws InvalidObjectError with the field and the remedy of every problem, also when the kind is none of ours
 */
export function parseShieldObject(
  value: unknown,
  options: ParseOptions = {},
):
  | ShieldPolicy
  | NamespacedShieldPolicy
  | ShieldException
  | ShieldGenerator
  | ShieldCleanup
  | ShieldBreakGlass {
  const kind = typeof value === "object" && value !== null ? (value as { kind?: unknown }).kind : undefined;
  switch (kind) {
    case shieldPolicyKind.kind:
      return parseShieldPolicy(value, options);
    case namespacedShieldPolicyKind.kind:
      return parseNamespacedShieldPolicy(value, options);
    case shieldExceptionKind.kind:
      return parseShieldException(value, options);
    case shieldGeneratorKind.kind:
      return parseShieldGenerator(value, options);
    case shieldCleanupKind.kind:
      return parseShieldCleanup(value, options);
    case shieldBreakGlassKind.kind:
      return parseShieldBreakGlass(value, options);
    default:
  }
  const message = `must be one of ${kinds.map((each) => each.kind).join(", ")}; is ${preview(kind)}`;
  throw new InvalidObjectError("object", [{ path: "kind", message }]);
}

const structuralSchemas = new Map<string, StructuralSchema>();

function structuralSchemaOf(kind: KindDefinition): StructuralSchema {
  const known = structuralSchemas.get(kind.kind);
  if (known !== undefined) return known;
  const schema = kindSchema(kind);
  structuralSchemas.set(kind.kind, schema);
  return schema;
}

function parseObject<S extends z.ZodObject>(
  kind: KindDefinition<S>,
  value: unknown,
  { unknownFields: onUnknown = "refuse" }: ParseOptions,
): z.output<S> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidObjectError(kind.kind, [
      { path: "", message: `expected a ${kind.kind} object, got ${typeInWords(value)}` },
    ]);
  }
  const subject = subjectOf(kind.kind, value);
  const hostile = hostileJson(value);
  if (hostile !== undefined) {
    throw new InvalidObjectError(subject, [{ path: pathInWords(hostile.path), message: hostile.message }]);
  }
  const problems: ObjectProblem[] = [];
  const input = withoutNullFields(value);
  if (onUnknown === "refuse") {
    problems.push(...unknownFields(structuralSchemaOf(kind), value, ["metadata"]).map(unknownProblem));
  }
  const result = kind.schema.safeParse(input, { error: (issue) => message(issue), reportInput: false });
  if (result.success && problems.length === 0) return result.data;
  for (const issue of result.error?.issues ?? []) {
    problems.push({ path: pathInWords(issue.path), message: issue.message });
  }
  const shown = problems.slice(0, MAX_PROBLEMS);
  if (problems.length > shown.length) {
    shown.push({ path: "", message: `and ${problems.length - shown.length} more problems` });
  }
  throw new InvalidObjectError(subject, shown);
}

function subjectOf(kind: string, value: object): string {
  const { metadata } = value as { metadata?: { name?: unknown; namespace?: unknown } | null };
  const name = typeof metadata?.name === "string" ? metadata.name.slice(0, 253) : undefined;
  if (name === undefined) return kind;
  const namespace = typeof metadata?.namespace === "string" ? `${metadata.namespace.slice(0, 63)}/` : "";
  return `${kind} "${namespace}${name}"`;
}

function unknownProblem({ path, meant, known }: UnknownField): ObjectProblem {
  const remedy = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean ${meant}?`;
  return { path: pathInWords(path), message: `unknown field; ${remedy}` };
}

const MAX_SEGMENT = 80;

function pathInWords(path: readonly PropertyKey[]): string {
  let words = "";
  for (const part of path) {
    if (typeof part === "number") words += `[${part}]`;
    else words += `${words === "" ? "" : "."}${String(part).slice(0, MAX_SEGMENT)}`;
  }
  return words;
}

/** Replaces zod's wording where it names no remedy; schemas that set a message of their own keep it. */
function message(issue: z.core.$ZodRawIssue): string | undefined {
  const missing = issue.input === undefined;
  switch (issue.code) {
    case "invalid_type":
      return missing
        ? `required: add a value (${expected(issue.expected)})`
        : `must be ${expected(issue.expected)}, is ${typeInWords(issue.input)}`;
    case "invalid_value": {
      const choice = (issue.values as unknown[]).map(String).join(", ");
      if (missing) return `required: one of ${choice}`;
      return `must be one of ${choice}; is ${preview(issue.input)}${bareWord(issue.input, issue.values as unknown[])}`;
    }
    default:
      return undefined;
  }
}

/** kubectl reads YAML 1.1, where a bare off (no, n) is false. */
function bareWord(input: unknown, values: readonly unknown[]): string {
  return input === false && values.includes("off")
    ? ': YAML reads a bare off as false, put it in quotes ("off")'
    : "";
}

function expected(type: unknown): string {
  switch (type) {
    case "array":
      return "a list";
    case "record":
    case "object":
      return "an object";
    case "int":
      return "a whole number";
    default:
      return `a ${String(type)}`;
  }
}

function typeInWords(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value} (${preview(value)})`;
}

function preview(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
