/**
 * The vocabulary schemas are written in: bounded strings, lists and maps whose Kubernetes extensions
 * (`x-kubernetes-list-type` and the like) travel with them into the CustomResourceDefinition.
 */
import * as z from "zod";
import { dateTime, distinct, entries, length } from "./server-check.ts";

/** Kubernetes extensions of a schema node which are no checks. */
export interface StructuralExtensions {
  listType?: "atomic" | "set" | "map";
  listMapKeys?: readonly string[];
  mapType?: "atomic" | "granular";
  intOrString?: true;
  preserveUnknownFields?: true;
  embeddedResource?: true;
  nullable?: true;
}

/** Where schemas keep their Kubernetes extensions; read by the converter. */
export const structuralExtensions = z.registry<StructuralExtensions>();

/** A string with a bound (in code points) and, where the form matters, a pattern both Go and JavaScript read alike. */
export function text(options: { min?: number; max: number; pattern?: RegExp; hint?: string }) {
  const { pattern, hint, ...bounds } = options;
  const schema = z.string().check(length(bounds));
  if (pattern === undefined) return schema;
  return schema.regex(pattern, hint === undefined ? `does not match ${pattern.source}` : `must be ${hint}`);
}

/** A list replaced as a whole by server-side apply; its order is kept. */
export function atomicList<S extends z.ZodType>(item: S, bounds: { min?: number; max: number }) {
  const list = z.array(item).max(bounds.max, `has more than ${bounds.max} items`);
  const bounded = bounds.min === undefined ? list : list.min(bounds.min, `needs at least ${bounds.min} item`);
  return bounded.register(structuralExtensions, { listType: "atomic" });
}

/** A list of distinct scalars that several field managers may add to. */
export function setOf<S extends z.ZodType<string | number>>(item: S, bounds: { min?: number; max: number }) {
  const list = z.array(item).max(bounds.max, `has more than ${bounds.max} items`);
  const bounded = bounds.min === undefined ? list : list.min(bounds.min, `needs at least ${bounds.min} item`);
  return bounded
    .check(distinct<z.output<S>>("set", String))
    .register(structuralExtensions, { listType: "set" });
}

/** A list of objects told apart by the values of `keys`, merged item by item by server-side apply. */
export function mapList<S extends z.ZodObject>(
  item: S,
  bounds: { min?: number; max: number; keys: readonly (keyof S["shape"] & string)[] },
) {
  const identity = (value: z.output<S>): string =>
    bounds.keys.map((key) => `${key}: ${String((value as Record<string, unknown>)[key])}`).join(", ");
  const list = z.array(item).max(bounds.max, `has more than ${bounds.max} items`);
  const bounded = bounds.min === undefined ? list : list.min(bounds.min, `needs at least ${bounds.min} item`);
  return bounded
    .check(distinct<z.output<S>>("map", identity))
    .register(structuralExtensions, { listType: "map", listMapKeys: bounds.keys });
}

/** A map from strings to `value` with at most `max` entries. */
export function mapOf<S extends z.ZodType>(value: S, bounds: { min?: number; max: number }) {
  return z.record(z.string(), value).check(entries(bounds));
}

/** Any JSON object, kept as it is (an object to create, a test's input). */
export function anyObject() {
  return z.record(z.string(), z.unknown()).register(structuralExtensions, { preserveUnknownFields: true });
}

/** A whole number; bounds are inclusive. */
export function wholeNumber(bounds: { min: number; max: number }) {
  const form = `must be a whole number from ${bounds.min} to ${bounds.max}`;
  return z.int(form).min(bounds.min, form).max(bounds.max, form);
}

/** How many there are of something, as far as JSON keeps whole numbers exact. */
export function count() {
  return wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER });
}

/** A point in time as RFC 3339 writes it, seconds and zone included, e.g. `2026-12-31T00:00:00Z`. */
export function timestamp() {
  return z.string().check(dateTime());
}

/** The same string schema, typed more closely where its pattern guarantees a form TypeScript can name. */
export function narrowed<T extends string>(schema: z.ZodString): z.ZodType<T, T> & z.ZodString {
  return schema as unknown as z.ZodType<T, T> & z.ZodString;
}
