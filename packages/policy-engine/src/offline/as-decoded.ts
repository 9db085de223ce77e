/**
 * Objects of built-in kinds as an API server has them once it has read them: charts write `env:` with nothing behind it, or a
 * name of a field that is there for old manifests only, and neither is what policies get to see.
 */
import { isJsonObject } from "../pod-security/shape-reader.ts";

/** Deeper parts stay as they are; no built-in kind has any. */
const deepest = 100;

/** The object itself where nothing in it is read otherwise. */
export function asDecoded(object: unknown, group: string): unknown {
  return isBuiltIn(group) ? decoded(object, 0) : object;
}

/** Of groups with another domain only their definitions tell what null means. */
function isBuiltIn(group: string): boolean {
  return !group.includes(".") || group.endsWith(".k8s.io");
}

function decoded(value: unknown, depth: number): unknown {
  if (depth > deepest) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => decoded(item, depth + 1));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  if (!isJsonObject(value)) return value;
  const members = Object.entries(value);
  const kept = members
    // A pointer, list or map that is nil is left out when it is written (encoding/json, omitempty).
    .filter(([, member]) => member !== null)
    .map(([key, member]) => [key, decoded(member, depth + 1)] as const);
  const account = accountOf(value);
  const isSame = kept.length === members.length && kept.every(([key, member]) => member === value[key]);
  if (isSame && account === undefined) return value;
  return { ...Object.fromEntries(kept), ...(account === undefined ? {} : { serviceAccountName: account }) };
}

/** PodSpec.serviceAccount stands for serviceAccountName (core/v1, conversion.go). */
function accountOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const has = (key: string): boolean => Object.hasOwn(value, key) && value[key] !== "" && value[key] !== null;
  if (!Array.isArray(value.containers) || has("serviceAccountName") || !has("serviceAccount"))
    return undefined;
  return typeof value.serviceAccount === "string" ? value.serviceAccount : undefined;
}
