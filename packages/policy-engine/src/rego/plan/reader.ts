/** Reads of untrusted JSON that name the place of what they refuse. */
import { PlanError } from "./errors.ts";

export type Json = unknown;

/** A place in the plan, for messages; built only when one is thrown. */
export interface Place {
  readonly parent: Place | undefined;
  readonly key: string | number;
}

export function refuse(place: Place, problem: string): never {
  const parts: string[] = [];
  for (let at: Place | undefined = place; at; at = at.parent)
    parts.unshift(typeof at.key === "number" ? `[${at.key}]` : `.${at.key}`);
  throw new PlanError(parts.join("").replace(/^\./, ""), problem);
}

/** The root is undefined. */
export const below = (parent: Place | undefined, key: string | number): Place => ({ parent, key });

export function readObject(value: Json, place: Place): Readonly<Record<string, Json>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(place, "must be an object");
  return value as Readonly<Record<string, Json>>;
}

/** The value of an own key; undefined where there is none. */
export function field(object: Readonly<Record<string, Json>>, key: string): Json {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Go writes an empty slice as null or leaves it out. */
export function readList(value: Json, place: Place, limit: number): readonly Json[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return refuse(place, "must be a list");
  if (value.length > limit) return refuse(place, `has ${value.length} items, at most ${limit} are allowed`);
  return value;
}

export function readText(value: Json, place: Place): string {
  return typeof value === "string" ? value : refuse(place, "must be a string");
}

/** An integer between two bounds, both allowed. */
export function readInteger(value: Json, place: Place, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return refuse(place, "must be an integer");
  if (value < least || value > most)
    return refuse(place, `is ${value}, must be between ${least} and ${most}`);
  return value;
}
