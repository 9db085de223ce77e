/** Defaults that the API server fills in by a structural schema (apiextensions-apiserver, pkg/apiserver/schema/defaulting). */
import { at, isPlain, type Plain } from "./plain.ts";

/** Schemas refer to nothing, so that they are as deep as they are written; deeper ones are no parameters. */
const deepest = 32;

export function withDefaults(value: unknown, schema: unknown, depth = 0): unknown {
  if (depth > deepest || !isPlain(schema)) return value;
  if (Array.isArray(value)) {
    const items = at(schema, "items");
    return value.map((item) => withDefaults(item, items, depth + 1));
  }
  return isPlain(value) ? membersWithDefaults(value, schema, depth) : value;
}

function membersWithDefaults(value: Plain, schema: Plain, depth: number): Plain {
  const properties = at(schema, "properties");
  const others = at(schema, "additionalProperties");
  const entries = new Map(Object.entries(value));
  for (const [key, property] of Object.entries(isPlain(properties) ? properties : {})) {
    const given = at(property, "default");
    if (entries.get(key) === undefined && given !== undefined) entries.set(key, given);
  }
  return Object.fromEntries(
    [...entries].map(([key, member]) => [
      key,
      withDefaults(member, at(properties, key) ?? others, depth + 1),
    ]),
  );
}
