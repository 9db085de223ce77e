/** Fields an object has and its schema does not know: what the API server refuses under strict field validation. */
import type { StructuralSchema } from "./structural-schema.ts";

/** One unknown field. */
export interface UnknownField {
  path: readonly (string | number)[];
  /** The known field of the same object whose name is nearest, when one is near. */
  meant?: string;
  known: readonly string[];
}

/** Unknown fields of `value`, in the order they stand there. `skip` names top-level fields not looked into. */
export function unknownFields(
  schema: StructuralSchema,
  value: unknown,
  skip: readonly string[] = [],
): UnknownField[] {
  const found: UnknownField[] = [];
  visit(schema, value, [], found, new Set(skip));
  return found;
}

function visit(
  schema: StructuralSchema,
  value: unknown,
  path: (string | number)[],
  found: UnknownField[],
  skip: ReadonlySet<string>,
): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined)
      value.forEach((item, index) => void visit(items, item, [...path, index], found, NOTHING));
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, child] of Object.entries(value)) {
    if (skip.has(name)) continue;
    const known = childSchema(schema, name);
    if (known !== undefined) visit(known, child, [...path, name], found, NOTHING);
    else if (schema.properties !== undefined && !schema["x-kubernetes-preserve-unknown-fields"]) {
      found.push(unknownField([...path, name], name, Object.keys(schema.properties)));
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set();

function childSchema(schema: StructuralSchema, name: string): StructuralSchema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name))
    return schema.properties[name];
  return schema.additionalProperties;
}

function unknownField(path: (string | number)[], name: string, known: string[]): UnknownField {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const isNear = nearest !== undefined && nearest.distance <= Math.max(1, Math.floor(name.length / 3));
  return { path, known, ...(isNear ? { meant: nearest.candidate } : {}) };
}

/** Levenshtein distance; names longer than 64 characters are not compared (they are no typing mistake). */
function editDistance(a: string, b: string): number {
  if (a.length > 64) return a.length;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
