/**
 * Finds where an object on the server says something else than the one we want.
 *
 * Server-side apply alone does not notice what somebody else *added*: one more `matchCondition` in a webhook entry
 * can switch it off and belongs to another field manager. So objects that enforce are compared whole.
 */

import { createHash } from "node:crypto";

/** Values the API server fills in when a field is absent; an extra field that holds its default is no drift. */
const SERVER_DEFAULTS: Readonly<Record<string, unknown>> = {
  scope: "*",
  matchPolicy: "Equivalent",
  namespaceSelector: {},
  objectSelector: {},
  failurePolicy: "Fail",
  timeoutSeconds: 10,
  port: 443,
  reinvocationPolicy: "Never",
};

/** Paths (such as `spec.validations[0].expression`) at which `actual` differs from `desired`; at most `limit`. */
export function findDrift(actual: unknown, desired: unknown, path = "", limit = 5): string[] {
  const found: string[] = [];
  walk(actual, desired, path, found, limit);
  return found;
}

function walk(actual: unknown, desired: unknown, path: string, found: string[], limit: number): void {
  if (found.length >= limit) return;
  if (Array.isArray(desired)) {
    walkList(actual, desired, path, found, limit);
  } else if (isRecord(desired)) {
    walkRecord(actual, desired, path, found, limit);
  } else if (actual !== desired) {
    found.push(path);
  }
}

function walkList(actual: unknown, desired: unknown[], path: string, found: string[], limit: number): void {
  if (!Array.isArray(actual) || actual.length !== desired.length) {
    if (actual !== undefined || desired.length > 0) found.push(path);
    return;
  }
  desired.forEach((item, index) => {
    walk(actual[index], item, `${path}[${index}]`, found, limit);
  });
}

function walkRecord(
  actual: unknown,
  desired: Record<string, unknown>,
  path: string,
  found: string[],
  limit: number,
): void {
  if (!isRecord(actual)) {
    if (actual !== undefined || !isDefault(lastSegment(path), desired)) found.push(path);
    return;
  }
  for (const [key, value] of Object.entries(desired)) {
    if (value === undefined) continue;
    const below = join(path, key);
    if (!Object.hasOwn(actual, key)) {
      if (!isDefault(key, value)) found.push(below);
    } else walk(actual[key], value, below, found, limit);
  }
  for (const [key, value] of Object.entries(actual)) {
    if (Object.hasOwn(desired, key) && desired[key] !== undefined) continue;
    if (!isDefault(key, value)) found.push(join(path, key));
  }
}

function isDefault(key: string, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value) && value.length === 0) return true;
  const expected = SERVER_DEFAULTS[key];
  if (expected === undefined) return false;
  if (isRecord(expected)) return isRecord(value) && Object.keys(value).length === 0;
  return expected === value;
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bodyOf(object: ObjectLike): Record<string, unknown> {
  const {
    metadata: _m,
    status: _s,
    apiVersion: _a,
    kind: _k,
    ...body
  } = object as unknown as Record<string, unknown>;
  return body;
}

/** One short text for what an object enforces: the same for what we render and what the server makes of it. */
export function renderingDigest(object: ObjectLike): string {
  return createHash("sha256")
    .update(JSON.stringify(canonical(bodyOf(object))))
    .digest("hex")
    .slice(0, 16);
}

/** Without what the server fills in, keys in one order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, below]) => !isDefault(name, below))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, below]) => [name, canonical(below)]),
  );
}

/** The parts of an enforcing object that must be ours alone: all but metadata and status. */
export function findObjectDrift(actual: ObjectLike, desired: ObjectLike): string[] {
  const drift: string[] = [];
  drift.push(...findDrift(bodyOf(actual), bodyOf(desired)));
  // Whoever adds one decides when the object goes.
  if ((actual.metadata.finalizers ?? []).length > 0) drift.push("metadata.finalizers");
  for (const field of ["labels", "annotations"] as const) {
    for (const [key, value] of Object.entries(desired.metadata[field] ?? {})) {
      if (actual.metadata[field]?.[key] !== value) drift.push(`metadata.${field}[${key}]`);
    }
  }
  // Without one of ours it stays when the policy goes; one of somebody else's can take it away before.
  const owners = desired.metadata.ownerReferences;
  if (owners !== undefined && !sameOwners(actual.metadata.ownerReferences ?? [], owners)) {
    drift.push("metadata.ownerReferences");
  }
  return drift;
}

function sameOwners(actual: readonly Owner[], desired: readonly Owner[]): boolean {
  const uids = new Set(actual.map(({ uid }) => uid));
  return actual.length === desired.length && desired.every(({ uid }) => uids.has(uid));
}

interface Owner {
  readonly uid: string;
}

interface ObjectLike {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly Owner[];
    readonly finalizers?: readonly string[];
  };
}
