import { effectiveReinvocation, type ShieldPolicySpec } from "@shieldx/crds";
import { compileCelMutations } from "../cel/admission/compile.ts";
import {
  type CompiledCelMutations,
  evaluateMutations,
  type MutateOptions,
} from "../cel/admission/mutations.ts";
import { type JsonRecord, jsonEquals } from "../cel/kubernetes/json.ts";
import { deepJsonText } from "../deep-json.ts";
import type { Check } from "../policy-set/judgement.ts";
import { paramFinder, paramReferenceOf } from "../policy-set/params.ts";
import type { Question } from "../policy-set/question.ts";
import { jsonDiff } from "./json-diff.ts";
import type { ObjectType } from "./object-types.ts";
import { untouchableChange } from "./untouchable.ts";

/** Why a policy's mutations came to no result: failurePolicy decides then. */
export type MutationFailureCode =
  | "EvaluationError"
  /** Applied a second time they would change the object again. */
  | "NotIdempotent"
  /** They change what no mutation may. */
  | "ForbiddenChange"
  | "NamespaceUnknown"
  /** What was asked outside was not answered. */
  | "CallFailed"
  | "DeadlineExceeded"
  /** Without the kind's schema lists cannot be merged as the API server does. */
  | "SchemaUnknown";

export type MutationStep =
  | { readonly kind: "irrelevant" }
  | { readonly kind: "unchanged" }
  | { readonly kind: "asks"; readonly checks: readonly Check[] }
  | { readonly kind: "fails"; readonly code: MutationFailureCode; readonly problem: string }
  | { readonly kind: "changed"; readonly object: JsonRecord };

/** The mutations of one policy. */
export interface Mutator {
  readonly reinvocationPolicy: "Never" | "IfNeeded";
  /** Whether it has to know the schema of the object's kind. */
  readonly needsType: boolean;
  /** The object after all of them, or none: nothing is half applied. Never throws. */
  mutate(question: Question, object: JsonRecord, type: ObjectType | undefined): MutationStep;
}

/** An API server takes no larger object (3 MiB of JSON). */
const largestObject = 3 * 1024 * 1024;

/**
 * @param readsNamespace some expression needs the Namespace
 * @throws CelRulesError naming every expression that cannot be compiled; PolicyCompileError when paramRef's selector is malformed
 */
export function celMutator(spec: ShieldPolicySpec, readsNamespace: boolean): Mutator {
  const compiled = compileCelMutations(spec);
  const reference = paramReferenceOf(spec);
  const findParams = reference && paramFinder(reference);
  return {
    reinvocationPolicy: effectiveReinvocation(spec),
    needsType: true,
    mutate(question, object, type) {
      const { kind } = question.request;
      if (readsNamespace && question.lacksNamespace)
        return fails("NamespaceUnknown", `namespace "${question.namespace}" could not be looked up`);
      if (type === undefined) {
        const of = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
        const problem = `the schema of ${kind.kind} (${of}) could not be read from the API server yet; try again`;
        return fails("SchemaUnknown", problem);
      }
      const params = findParams?.(question.context.params, question.namespace);
      return step(compiled, question, object, { ...optionsOf(question), params, type });
    },
  };
}

function step(
  compiled: CompiledCelMutations,
  question: Question,
  object: JsonRecord,
  options: MutateOptions,
): MutationStep {
  const first = evaluateMutations(compiled, { ...question.forExpressions, object }, options);
  if (first.kind === "irrelevant") return first;
  if (first.kind === "pending") return { kind: "asks", checks: first.checks };
  if (first.kind === "needsSchema") return withoutSchema(first.index);
  if (first.kind === "error") return fails("EvaluationError", at(first.index, first.message));
  const { object: changed } = first;
  if (jsonEquals(object, changed)) return { kind: "unchanged" };
  const field = untouchableChange(object, changed, question.request.subResource ?? "");
  if (field !== undefined)
    return fails("ForbiddenChange", `spec.mutations change ${field}, which no mutation may: leave it out`);
  if (deepJsonText(changed).length > largestObject)
    return fails("EvaluationError", `the object would become larger than ${largestObject} bytes`);
  const second = evaluateMutations(compiled, { ...question.forExpressions, object: changed }, options);
  switch (second.kind) {
    case "irrelevant":
      return { kind: "changed", object: changed };
    case "needsSchema":
      return withoutSchema(second.index);
    case "pending":
      return { kind: "asks", checks: second.checks };
    case "error":
      return fails("NotIdempotent", `applied a second time: ${at(second.index, second.message)}. ${advice}`);
    case "done":
      if (jsonEquals(changed, second.object)) return { kind: "changed", object: changed };
      return fails(
        "NotIdempotent",
        `applied a second time it changes ${differing(changed, second.object)} again. ${advice}`,
      );
    default:
      return second satisfies never;
  }
}

function withoutSchema(index: number): MutationStep {
  return fails(
    "SchemaUnknown",
    at(index, "sets a list, and only the kind's schema tells how that is merged"),
  );
}

const advice =
  "The API server may apply mutations more than once: let the expression, or a matchCondition, leave alone what it has already done";

function at(index: number | undefined, message: string): string {
  return index === undefined ? message : `spec.mutations[${index}]: ${message}`;
}

function differing(before: JsonRecord, after: JsonRecord): string {
  const paths = [...new Set(jsonDiff(before, after).map(({ path }) => path))];
  return paths.length <= 3
    ? paths.join(", ")
    : `${paths.slice(0, 3).join(", ")} and ${paths.length - 3} more`;
}

function fails(code: MutationFailureCode, problem: string): MutationStep {
  return { kind: "fails", code, problem };
}

function optionsOf({
  context: { authorize, onSpent },
  isLate,
}: Question): Pick<MutateOptions, "authorize" | "isLate" | "onCost"> {
  const onCost = onSpent && ((units: number) => onSpent("cel", units));
  return { isLate, onCost, ...(authorize === undefined ? {} : { authorize }) };
}
