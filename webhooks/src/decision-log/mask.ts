/** Takes out of a logged decision what nobody should read there, by OPA's mask rules (v1/plugins/logs/mask.go). */
import type { RegoJson } from "@shieldx/policy-engine/decisions";
import type { DecisionEvent } from "./event.ts";

/** A rule is not one; the message says what it must be. */
export class MaskError extends Error {
  override readonly name = "MaskError";
  readonly code = "SHIELDX_MASK";
}

export interface MaskRule {
  readonly op: "remove" | "upsert";
  /** As it was written: `/input/password`. */
  readonly pointer: string;
  /** Its parts: `["input", "password"]`. */
  readonly path: readonly string[];
  readonly value: RegoJson;
}

/** What may be masked; the rest of an event holds nothing a caller sent. */
const parts = ["input", "result", "nd_builtin_cache"];
const mostRules = 1_000;
const mostParts = 64;

/**
 * Rules as a mask decision gives them: `"/input/password"`, or `{"op": "upsert", "path": …, "value": …}`.
 * @throws MaskError
 */
export function parseMaskRules(rules: RegoJson): readonly MaskRule[] {
  if (!isList(rules)) throw new MaskError("mask rules must be a list or set");
  if (rules.length > mostRules) throw new MaskError(`more than ${mostRules} mask rules`);
  return rules.map(parseRule);
}

function parseRule(rule: RegoJson): MaskRule {
  if (typeof rule === "string") return { op: "remove", value: null, ...parsePointer(rule) };
  if (!isObject(rule)) throw new MaskError(`a mask rule must be a path or an object, not ${typeof rule}`);
  const op = own(rule, "op");
  const path = own(rule, "path");
  if (op !== "remove" && op !== "upsert")
    throw new MaskError(`op of a mask rule must be "remove" or "upsert"`);
  if (typeof path !== "string") throw new MaskError("path of a mask rule must be text");
  return { op, value: own(rule, "value") ?? null, ...parsePointer(path) };
}

/** A JSON pointer (RFC 6901) into the event. */
function parsePointer(pointer: string): Pick<MaskRule, "pointer" | "path"> {
  if (!pointer.startsWith("/"))
    throw new MaskError(
      `mask ${JSON.stringify(pointer.slice(0, 128))} must begin with a slash: /input/password`,
    );
  const path = pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (path.length > mostParts) throw new MaskError(`a mask has at most ${mostParts} parts`);
  if (!parts.includes(path[0] ?? ""))
    throw new MaskError(`mask ${JSON.stringify(pointer.slice(0, 128))} must begin with /input or /result`);
  return { pointer, path };
}

/** A new event; the one given, which shares its documents with whoever asked, stays as it is. */
export function mask(event: DecisionEvent, rules: readonly MaskRule[]): DecisionEvent {
  let masked: RegoJson = event;
  const erased: string[] = [];
  const replaced: string[] = [];
  for (const { op, path, pointer, value } of rules) {
    if (own(event, path[0] ?? "") === undefined) continue;
    const changed: RegoJson | undefined =
      op === "remove" ? without(masked, path) : withValue(masked, path, value);
    if (changed === undefined) continue;
    masked = changed;
    (op === "remove" ? erased : replaced).push(pointer);
  }
  return {
    ...(masked as DecisionEvent),
    ...(erased.length === 0 ? {} : { erased }),
    ...(replaced.length === 0 ? {} : { masked: replaced }),
  };
}

/** Undefined where the path leads nowhere. Deep as the rule's path, which is bounded. */
function without(value: RegoJson, [key, ...rest]: readonly string[]): RegoJson | undefined {
  const found = key === undefined ? undefined : child(value, key);
  if (key === undefined || found === undefined) return undefined;
  if (rest.length === 0) {
    return isList(value)
      ? value.filter((_, at) => at !== Number(key))
      : Object.fromEntries(Object.entries(value as DecisionEvent).filter(([name]) => name !== key));
  }
  const inner = without(found, rest);
  return inner === undefined ? undefined : replaced(value, key, inner);
}

/** Objects on the way that are missing are made; places of a list are not. Undefined where it cannot be. */
function withValue(value: RegoJson, [key, ...rest]: readonly string[], to: RegoJson): RegoJson | undefined {
  if (key === undefined) return to;
  const found = child(value, key);
  if (found === undefined && !isObject(value)) return undefined;
  const inner = withValue(found ?? {}, rest, to);
  return inner === undefined ? undefined : replaced(value, key, inner);
}

function replaced(value: RegoJson, key: string, by: RegoJson): RegoJson {
  if (isList(value)) return value.map((item, at) => (at === Number(key) ? by : item));
  // fromEntries defines properties, so that __proto__ is a key like any other.
  return Object.fromEntries([
    ...Object.entries(value as DecisionEvent).filter(([name]) => name !== key),
    [key, by],
  ]);
}

function child(value: RegoJson, key: string): RegoJson | undefined {
  if (isList(value)) return /^\d{1,9}$/.test(key) ? value[Number(key)] : undefined;
  return isObject(value) ? own(value, key) : undefined;
}

function own(object: DecisionEvent, key: string): RegoJson | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isList(value: RegoJson): value is readonly RegoJson[] {
  return Array.isArray(value);
}

function isObject(value: RegoJson): value is DecisionEvent {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
