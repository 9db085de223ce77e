import { coversEverything, nameMatches, type ShieldException } from "@shieldx/crds";
import { isJsonObject } from "../pod-security/shape-reader.ts";
import { clusterScopedKinds } from "./cluster-scoped.ts";
import { labelsOf, metadataOf } from "./match.ts";
import { type CompiledSelector, compileSelector, type Labels } from "./selector.ts";

/** What a policy says about exceptions, compiled from `spec.exceptions`. */
export interface ExceptionTerms {
  readonly policy: string;
  /** Undefined when the policy honours none. */
  readonly namespaces:
    | { readonly names: ReadonlySet<string>; readonly selector: CompiledSelector | undefined }
    | undefined;
  readonly maxDurationMs: number;
  /** It is about kinds that are not Kubernetes' own, and may have the name of one that is. */
  readonly isAboutOthersKinds: boolean;
}

export interface CompiledException {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly policies: readonly string[];
  /** Milliseconds since the epoch; NaN when unreadable, which no moment is before. */
  readonly expiresAt: number;
  /** Undefined where the object has not been created yet, as in a file. */
  readonly createdAt: number | undefined;
  readonly isBeingDeleted: boolean;
  /** It names nothing that an object has to be or to have. */
  readonly coversEverything: boolean;
  /** It names kinds, and each as one of Kubernetes' own that is in no namespace. */
  readonly isForClusterScoped: boolean;
  /** Undefined for all checks. */
  readonly checks: ReadonlySet<string> | undefined;
  covers(object: unknown, kind: string): boolean;
}

/** @throws PolicyCompileError when its objectSelector is malformed. */
export function compileException(exception: ShieldException): CompiledException {
  const { metadata, spec } = exception;
  const namespace = metadata.namespace ?? "default";
  const selector = compileSelector(spec.match.objectSelector, "spec.match.objectSelector");
  const { kinds = [], names = [] } = spec.match;
  const isForEverything = coversEverything(spec.match);
  return {
    key: `${namespace}/${metadata.name}`,
    namespace,
    policies: spec.policies,
    expiresAt: Date.parse(spec.expiresAt),
    createdAt: metadata.creationTimestamp === undefined ? undefined : Date.parse(metadata.creationTimestamp),
    coversEverything: isForEverything,
    isForClusterScoped: kinds.length > 0 && kinds.every((kind) => clusterScopedKinds.has(kind)),
    isBeingDeleted: metadata.deletionTimestamp !== undefined,
    checks: spec.checks === undefined ? undefined : new Set(spec.checks),
    covers: (object, kind) =>
      !isForEverything &&
      (kinds.length === 0 || kinds.includes(kind)) &&
      (names.length === 0 || isNamedBy(names, object)) &&
      (selector.matchesEverything || selector.matches(labelsOf(object) ?? {})),
  };
}

/** While a name is still to be generated only its beginning is known, and only that of a pattern can be told of it. */
function isNamedBy(patterns: readonly string[], object: unknown): boolean {
  const metadata = metadataOf(object);
  const isNamed = isJsonObject(metadata) && typeof metadata.name === "string" && metadata.name !== "";
  const name = nameOf(object);
  return patterns.some((pattern) => (isNamed || pattern.endsWith("*")) && nameMatches(pattern, name));
}

export type ExceptionStanding =
  | { readonly honoured: true; readonly until: number }
  | {
      readonly honoured: false;
      readonly code:
        | "NamespaceNotListed"
        | "Expired"
        | "TooLong"
        | "BeingDeleted"
        | "PolicyNotNamed"
        | "CoversEverything"
        | "ClusterScoped";
      readonly message: string;
    };

/**
 * What a policy makes of an exception at `now` (milliseconds since the epoch). The same rules hold at admission
 * of the exception; they are applied again here because that check may have been away.
 */
export function standingOf(
  terms: ExceptionTerms,
  exception: CompiledException,
  now: number,
  namespaceLabels: Labels | undefined,
): ExceptionStanding {
  const refused = (
    code: (ExceptionStanding & { honoured: false })["code"],
    message: string,
  ): ExceptionStanding => ({
    honoured: false,
    code,
    message,
  });
  if (!exception.policies.includes(terms.policy)) {
    return refused("PolicyNotNamed", `the exception does not name policy "${terms.policy}"`);
  }
  if (exception.isBeingDeleted) return refused("BeingDeleted", "the exception is being deleted");
  if (exception.coversEverything) {
    return refused(
      "CoversEverything",
      "an exception for everything in the namespace is not honoured: narrow spec.match by kinds, by names with more than one character before *, or by labels that objects must have",
    );
  }
  if (exception.isForClusterScoped && !terms.isAboutOthersKinds) {
    return refused(
      "ClusterScoped",
      `an exception is for what is in its namespace, and nothing that spec.match.kinds names is in one: have the object left out by policy "${terms.policy}" itself, by its matchConstraints or matchConditions`,
    );
  }
  if (!listsNamespace(terms, exception.namespace, namespaceLabels)) {
    return refused(
      "NamespaceNotListed",
      `policy "${terms.policy}" honours no exceptions from namespace "${exception.namespace}": add it to the policy's spec.exceptions.namespaces`,
    );
  }
  const lifetimeMs = exception.expiresAt - (exception.createdAt ?? now);
  if (lifetimeMs > terms.maxDurationMs) {
    return refused(
      "TooLong",
      `it lasts longer than the ${terms.maxDurationMs / 3_600_000} h that policy "${terms.policy}" allows: choose an earlier expiresAt`,
    );
  }
  if (!(now < exception.expiresAt)) return refused("Expired", "its expiresAt has passed");
  return { honoured: true, until: exception.expiresAt };
}

function listsNamespace(terms: ExceptionTerms, namespace: string, labels: Labels | undefined): boolean {
  const { namespaces } = terms;
  if (namespaces === undefined) return false;
  if (namespaces.names.has(namespace)) return true;
  if (namespaces.selector === undefined) return false;
  if (namespaces.selector.matchesEverything) return true;
  // A namespace that could not be looked up has no labels to go by: it earns no exception.
  return (
    labels !== undefined &&
    namespaces.selector.matches({ ...labels, "kubernetes.io/metadata.name": namespace })
  );
}

/** An object's name; while that is still to be generated, the beginning it will have. */
export function nameOf(object: unknown): string {
  const metadata = metadataOf(object);
  if (!isJsonObject(metadata)) return "";
  const { name, generateName } = metadata;
  if (typeof name === "string" && name !== "") return name;
  return typeof generateName === "string" ? generateName : "";
}
