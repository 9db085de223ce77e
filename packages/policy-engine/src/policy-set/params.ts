/**
 * Parameter objects of policies of engines cel and rego: which ones a request is judged with, and what is said where there are none,
 * as the API server does it (apiserver pkg/admission/plugin/policy/generic: policy_source.go, policy_dispatcher.go).
 */
import type { ShieldPolicySpec } from "@shieldx/crds";
import type { CelParams } from "../cel/admission/question.ts";
import type { CompiledPolicy } from "./compile.ts";
import { nameOf } from "./exceptions.ts";
import { labelsOf } from "./match.ts";
import { isUsed, type PolicyUse } from "./policy-use.ts";
import { compileSelector, type LabelSelectorLike } from "./selector.ts";

/** `spec.paramKind` with what `spec.paramRef` chooses of it. */
export interface ParamReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name?: string | undefined;
  /** Left out for a namespaced kind: the namespace of the request. */
  readonly namespace?: string | undefined;
  readonly selector?: LabelSelectorLike | undefined;
}

/** What is known of the objects a reference may choose from. */
export type ParamObjects =
  | {
      readonly state: "known";
      readonly isNamespaced: boolean;
      /** `namespace` is empty for a cluster-scoped kind. */
      get(namespace: string, name: string): unknown;
      list(namespace: string): readonly unknown[];
    }
  /** The API server has no such kind. */
  | { readonly state: "notServed" }
  /** Not read yet, or not to be had; `problem` says why. */
  | { readonly state: "unknown"; readonly problem: string };

/** Answers from memory, by reference; objects are never changed. */
export type ParamLookup = (reference: ParamReference) => ParamObjects;

/** Finds the parameters of one policy for a request in `namespace`, which is empty for a cluster-scoped object. */
export type ParamFinder = (lookUp: ParamLookup | undefined, namespace: string) => CelParams;

/** What the policy takes its parameters from; undefined without a paramKind. */
export function paramReferenceOf({ paramKind, paramRef }: ShieldPolicySpec): ParamReference | undefined {
  if (paramKind === undefined || paramRef === undefined) return undefined;
  const { name, namespace, selector } = paramRef;
  return {
    ...paramKind,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(selector === undefined ? {} : { selector }),
  };
}

/** Policies that are evaluated here with parameters, on requests or on objects that exist, and what they refer to. */
export function paramReferences(
  policies: readonly CompiledPolicy[],
  on: PolicyUse,
): { readonly policy: string; readonly reference: ParamReference }[] {
  return policies.flatMap((policy) => {
    const reference = isUsed(policy, on) ? paramReferenceOf(policy.source.spec) : undefined;
    return reference === undefined ? [] : [{ policy: policy.name, reference }];
  });
}

/** @throws PolicyCompileError when the selector is malformed */
export function paramFinder(reference: ParamReference): ParamFinder {
  const { name, selector } = reference;
  const chosen = compileSelector(selector, "spec.paramRef.selector");
  const choose = (known: ParamObjects & { state: "known" }, namespace: string): readonly unknown[] => {
    if (name !== undefined) {
      const object = known.get(namespace, name);
      return object === undefined ? [] : [object];
    }
    // The API server's order is that of a map; ours is the same each time.
    return known
      .list(namespace)
      .filter((object) => chosen.matches(labelsOf(object) ?? {}))
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  };
  return (lookUp, namespace) => {
    if (lookUp === undefined) return notConfigured("there is no cluster to look for parameters in");
    const found = lookUp(reference);
    switch (found.state) {
      case "notServed":
        return { problem: notServed(reference) };
      case "unknown":
        return notConfigured(found.problem);
      case "known": {
        const where = namespaceToLookIn(reference, found.isNamespaced, namespace);
        return typeof where === "string" ? { objects: choose(found, where) } : notConfigured(where.problem);
      }
      default:
        return found satisfies never;
    }
  };
}

function namespaceToLookIn(
  reference: ParamReference,
  isNamespaced: boolean,
  namespace: string,
): string | { readonly problem: string } {
  if (!isNamespaced) {
    return reference.namespace === undefined
      ? ""
      : { problem: "paramRef.namespace must not be provided for a cluster-scoped `paramKind`" };
  }
  const where = reference.namespace ?? namespace;
  if (where !== "") return where;
  return {
    problem: "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
  };
}

function notConfigured(problem: string): CelParams {
  return { problem: `failed to configure binding: ${problem}` };
}

/** In the API server's words, which writes a group and version as Go prints them. */
function notServed({ apiVersion, kind }: ParamReference): string {
  const groupVersion = apiVersion.includes("/") ? apiVersion : `/${apiVersion}`;
  return `failed to configure policy: failed to find resource referenced by paramKind: '${groupVersion}, Kind=${kind}'`;
}
