/** Which objects are over their time for a ShieldCleanup. */
import { ANNOTATION, parseDurationMs, type ShieldCleanupSpec } from "@shieldx/crds";
import type { IsLate } from "../cel/admission/expression.ts";
import { TIMESTAMP } from "../cel/types.ts";
import { CelTimestamp } from "../cel/values.ts";
import { compileSelector, type Labels } from "../policy-set/selector.ts";
import { compileStanding, type StandingSubject } from "./expressions.ts";
import type { NamespaceLike } from "./generator.ts";

/** Of an object, what is looked at besides what expressions see. */
export interface CleanableObject {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp?: string;
    readonly labels?: Labels;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
}

export type CleanupVerdict =
  /** It stays: the policy is not about it, or its time is not over. */
  | { readonly kind: "stays" }
  /** Its time was over at this moment, ms since the epoch. */
  | { readonly kind: "due"; readonly sinceMs: number }
  /** It stays, because this came to no value. */
  | { readonly kind: "error"; readonly message: string };

export interface CompiledCleanup {
  /** Whether more than the metadata of objects is looked at. */
  readonly readsObjects: boolean;
  /**
   * @param namespace the one the object is in; undefined for cluster-scoped ones, of which a Namespace is its own
   * @param nowMs by the API server's clock, which also says when objects were made
   */
  judge(
    object: CleanableObject,
    namespace: NamespaceLike | undefined,
    nowMs: number,
    isLate: IsLate,
  ): CleanupVerdict;
}

const stays: CleanupVerdict = Object.freeze({ kind: "stays" });

/** @throws PolicyCompileError with the field and the remedy */
export function compileCleanup(spec: ShieldCleanupSpec): CompiledCleanup {
  const namespaces = compileSelector(spec.namespaceSelector, "spec.namespaceSelector");
  const objects = compileSelector(spec.objectSelector, "spec.objectSelector");
  const { since } = spec;
  const expressions = compileStanding({
    matchConditions: spec.matchConditions,
    variables: spec.variables,
    values: since === undefined ? [] : [{ path: "spec.since", expression: since, type: TIMESTAMP }],
    seesObject: true,
  });
  const begunMs = (object: CleanableObject, subject: StandingSubject, isLate: IsLate): number | string => {
    if (since === undefined) return Date.parse(object.metadata.creationTimestamp ?? "");
    const [result] = expressions.values(subject, isLate);
    if (result?.kind !== "value") return `spec.since: ${result?.message ?? "no value"}`;
    if (!(result.value instanceof CelTimestamp)) return "spec.since: gives no timestamp";
    return result.value.seconds * 1000 + Math.floor(result.value.nanos / 1e6);
  };
  return {
    readsObjects: since !== undefined || (spec.matchConditions ?? []).length > 0,
    judge: (object, namespace, nowMs, isLate) => {
      if (!objects.matches(object.metadata.labels ?? {})) return stays;
      // Cluster-scoped objects are in no namespace to be selected by, as in admission.
      if (namespace !== undefined && !namespaces.matches(namespace.metadata.labels ?? {})) return stays;
      const ttlMs = ttlOf(spec, object);
      if (ttlMs === undefined) return stays;
      if (typeof ttlMs === "string") return { kind: "error", message: ttlMs };
      const subject = { object, namespaceObject: namespace ?? null };
      const held = expressions.holds(subject, isLate);
      if (held.kind === "no") return stays;
      if (held.kind === "error") return { kind: "error", message: `spec.matchConditions: ${held.message}` };
      const begun = begunMs(object, subject, isLate);
      if (typeof begun === "string") return { kind: "error", message: begun };
      const sinceMs = begun + ttlMs;
      return sinceMs <= nowMs ? { kind: "due", sinceMs } : stays;
    },
  };
}

/** In ms; undefined: it may become as old as it likes; a string says what is wrong with the annotation. */
function ttlOf(
  { ttl, ttlFromAnnotation }: ShieldCleanupSpec,
  { metadata: { annotations = {} } }: CleanableObject,
): number | string | undefined {
  const own = Object.hasOwn(annotations, ANNOTATION.ttl) ? annotations[ANNOTATION.ttl] : undefined;
  if (ttlFromAnnotation !== true || own === undefined)
    return ttl === undefined ? undefined : parseDurationMs(ttl);
  if (own === "never") return undefined;
  try {
    return parseDurationMs(String(own));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `annotation ${ANNOTATION.ttl}: ${error.message.slice(0, 200)}, or never`;
  }
}
