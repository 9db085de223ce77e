/** ShieldPolicies in the making, and how they are made valid or given up. */
import { InvalidObjectError, parseShieldPolicy, type ShieldPolicy } from "@shieldx/crds";
import { compilePolicy } from "../policy-set/compile.ts";
import { isTransient, PolicyCompileError } from "../policy-set/errors.ts";
import { labelsOf } from "../policy-set/match.ts";
import { compileSelector } from "../policy-set/selector.ts";
import type { ImportedPolicy } from "./foreign.ts";
import { at, isPlain, type Plain, stated } from "./plain.ts";
import { PolicyNames } from "./policy-names.ts";
import type { Source } from "./source.ts";

/** A field of one of the objects that a policy is made of. */
export interface Place {
  readonly source: Source;
  readonly path: string;
}

export interface Draft {
  /** What it is made of. The first one hears of what is wrong with it. */
  readonly from: readonly [Source, ...Source[]];
  /** Names it may have, the best first. */
  readonly names: readonly string[];
  readonly spec: Plain;
  /** Where a field of the ShieldPolicy comes from; left out, it stands in the same place of the first source. */
  readonly placeOf?: (path: string) => Place;
  /** What else to say of a field that does not compile. */
  readonly advice?: (path: string) => string | undefined;
}

/**
 * Each draft as a policy that is valid and, where it is in CEL, compiles; why not is told of its source.
 *
 * @param objects the whole load, for the parameters among them
 */
export function finished(drafts: readonly Draft[], objects: readonly unknown[]): ImportedPolicy[] {
  const names = new PolicyNames();
  return drafts.flatMap((draft) => {
    const written = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name: names.take(draft.names) },
      spec: inOrder(stated(draft.spec)),
    };
    const policy = checked(written, draft);
    if (policy === undefined) return [];
    const from = draft.from.map(({ name }) => name);
    return [{ policy, written, params: paramsOf(policy, objects), from }];
  });
}

/** As a person writes them: what it is about, what it says, what it does. */
const fieldOrder = [
  ...["engine", "matchConstraints", "matchConditions", "paramKind", "paramRef", "variables", "validations"],
  ...[
    "mutations",
    "reinvocationPolicy",
    "auditAnnotations",
    "rego",
    "verifyImages",
    "failurePolicy",
    "actions",
  ],
];

function inOrder(spec: Plain): Plain {
  const place = (field: string): number => fieldOrder.indexOf(field);
  return Object.fromEntries(Object.entries(spec).sort(([a], [b]) => place(a) - place(b)));
}

function checked(written: Plain, { from: [first], placeOf, advice }: Draft): ShieldPolicy | undefined {
  const tell = (at: string, message: string): void => {
    const { source, path } = placeOf?.(at) ?? { source: first, path: at };
    source.error(path, message);
  };
  try {
    const policy = parseShieldPolicy(written);
    // What takes a compiler of its own is told by whoever has one.
    compilePolicy(policy, { serverMinor: 0, evaluatesNative: true });
    return policy;
  } catch (error) {
    if (error instanceof PolicyCompileError && isTransient(error.code)) return parseShieldPolicy(written);
    if (error instanceof InvalidObjectError) {
      for (const { path, message } of error.problems) tell(path, `no ShieldPolicy can have that: ${message}`);
      return undefined;
    }
    if (!(error instanceof PolicyCompileError)) throw error;
    const told = error.message.startsWith(`${error.path}: `)
      ? error.message.slice(error.path.length + 2)
      : error.message;
    const more = advice?.(error.path);
    tell(error.path, more === undefined ? told : `${told}; ${more}`);
    return undefined;
  }
}

function paramsOf({ spec: { paramKind, paramRef } }: ShieldPolicy, objects: readonly unknown[]): unknown[] {
  if (paramKind === undefined || paramRef === undefined) return [];
  const { name, namespace } = paramRef;
  const chosen = compileSelector(paramRef.selector, "spec.paramRef.selector");
  return objects.filter((object) => {
    if (at(object, "apiVersion") !== paramKind.apiVersion || at(object, "kind") !== paramKind.kind)
      return false;
    if (namespace !== undefined && at(object, "metadata", "namespace") !== namespace) return false;
    return name === undefined
      ? chosen.matches(labelsOf(object) ?? {})
      : at(object, "metadata", "name") === name;
  });
}

/** Deeper ones no ShieldPolicy may be: they are refused for that. */
const deepest = 64;

/** Whether some text in it speaks of who asks: such a policy says nothing of objects that exist. */
export function looksAtUser(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return /\b(?:authorizer|userInfo)\b/.test(value);
  if (depth > deepest) return false;
  if (Array.isArray(value)) return value.some((item) => looksAtUser(item, depth + 1));
  return isPlain(value) && Object.values(value).some((item) => looksAtUser(item, depth + 1));
}
