/**
 * Evaluates the mutations of a policy for one request, as apiserver pkg/admission/plugin/policy/mutating does
 * (dispatcher.go, patch/json_patch.go, patch/smd.go): in order, each seeing what those before have made of the object,
 * each with a budget and variables of its own. Unlike there, they are made all or not at all; and nothing fills in
 * defaults in between, which only the API server knows.
 */
import { CelError } from "../errors.ts";
import { mergeApplyConfiguration } from "../kubernetes/apply-configuration.ts";
import { formatSchemaErrors, schemaErrors } from "../kubernetes/apply-validation.ts";
import type { AuthorizationCheck, AuthorizationLookup } from "../kubernetes/authorization-check.ts";
import { isJsonList, isJsonRecord, type Json, type JsonRecord } from "../kubernetes/json.ts";
import { applyJsonPatch } from "../kubernetes/json-patch.ts";
import { applyConfigurationOf, jsonPatchOperations } from "../kubernetes/patch-values.ts";
import { type Atom, deduced } from "../kubernetes/structural-schema.ts";
import type { CelValue } from "../values.ts";
import { valuesOf } from "./activation.ts";
import type { CompiledExpression, IsLate } from "./expression.ts";
import {
  evaluateGroup,
  type GroupContext,
  type NamedExpression,
  type OnCost,
  OUT_OF_BUDGET,
} from "./expression-group.ts";
import { RULES_COST_BUDGET } from "./limits.ts";
import { conditionsSee, heldConditions } from "./match-conditions.ts";
import { paramsOf, type TakesParams } from "./params.ts";
import type { CelParams, CelQuestion } from "./question.ts";

export interface CompiledMutation {
  readonly patchType: "ApplyConfiguration" | "JSONPatch";
  readonly expression: CompiledExpression;
}

export interface CompiledCelMutations extends TakesParams {
  readonly matchConditions: readonly CompiledExpression[];
  readonly variables: readonly NamedExpression[];
  readonly mutations: readonly CompiledMutation[];
}

export interface MutateOptions {
  readonly authorize?: AuthorizationLookup;
  readonly isLate?: IsLate;
  /** Looked at only by a policy with a paramKind, whose mutations are made with each of them in turn; default none. */
  readonly params?: CelParams | undefined;
  /** Told what the matchConditions, and each mutation, have cost. */
  readonly onCost?: OnCost | undefined;
  /** Of the object, by its schema. */
  readonly type: Atom;
}

export type MutationOutcome =
  /** The policy is not about this request. */
  | { readonly kind: "irrelevant" }
  /** Look these up, and ask again with an authorizer that knows them. */
  | { readonly kind: "pending"; readonly checks: readonly AuthorizationCheck[] }
  /** The type is that of unknown objects, and this mutation sets a list: whether lists are merged only a schema tells. */
  | { readonly kind: "needsSchema"; readonly index: number }
  /** `index` into spec.mutations; undefined for matchConditions and parameters. */
  | { readonly kind: "error"; readonly index: number | undefined; readonly message: string }
  | { readonly kind: "done"; readonly object: JsonRecord };

const mutationsSee = { hasNamespace: true, hasAuthorizer: true } as const;

/**
 * The object as the policy's mutations make it; nothing passed in is changed. With several parameter objects the policy is
 * applied with each in turn, conditions and all, to what those before have made of the object, as the API server does.
 * Never throws for what is in the question.
 */
export function evaluateMutations(
  compiled: CompiledCelMutations,
  question: CelQuestion & { readonly object: JsonRecord },
  options: MutateOptions,
): MutationOutcome {
  const params = paramsOf(compiled, options.params);
  if (typeof params === "string") return { kind: "error", index: undefined, message: params };
  let outcome: MutationOutcome = { kind: "irrelevant" };
  for (const param of params) {
    const asked = outcome.kind === "done" ? { ...question, object: outcome.object } : question;
    const next = withParam(compiled, asked, options, compiled.hasParamKind ? param : undefined);
    if (next.kind === "irrelevant") continue;
    if (next.kind !== "done") return next;
    outcome = next;
  }
  return outcome;
}

function withParam(
  { matchConditions, variables, mutations }: CompiledCelMutations,
  question: CelQuestion & { readonly object: JsonRecord },
  { authorize, isLate, type, onCost }: MutateOptions,
  params: CelValue | undefined,
): MutationOutcome {
  const pending: AuthorizationCheck[] = [];
  const contextFor = (object: JsonRecord, sees: typeof mutationsSee | typeof conditionsSee): GroupContext => {
    return {
      values: valuesOf(object === question.object ? question : { ...question, object }, authorize),
      scope: { ...sees, params },
      variables,
      isLate,
      onPending: (check) => pending.push(check),
      onCost,
    };
  };
  const unmatched = openConditions(matchConditions, contextFor(question.object, conditionsSee));
  if (unmatched !== undefined) return unmatched;
  let { object } = question;
  for (const [index, { patchType, expression }] of mutations.entries()) {
    const group = evaluateGroup([expression], contextFor(object, mutationsSee), RULES_COST_BUDGET);
    if (pending.length > 0) return { kind: "pending", checks: pending };
    const result = group.isOutOfBudget
      ? ({ kind: "error", message: OUT_OF_BUDGET } as const)
      : group.results[0];
    if (result?.kind === "error") return { kind: "error", index, message: result.message };
    if (result?.kind !== "value") continue;
    if (type === deduced && setsList(patchType, result.value)) return { kind: "needsSchema", index };
    try {
      object = applied(patchType, result.value, object, type);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      return { kind: "error", index, message: error.message };
    }
  }
  return { kind: "done", object };
}

/** What the conditions come to where they are not all true. */
function openConditions(
  conditions: CompiledCelMutations["matchConditions"],
  context: GroupContext,
): MutationOutcome | undefined {
  if (conditions.length === 0) return undefined;
  const held = heldConditions(conditions, context);
  switch (held.kind) {
    case "yes":
      return undefined;
    case "no":
      return { kind: "irrelevant" };
    case "open":
      return held.error === undefined
        ? { kind: "pending", checks: held.pending }
        : { kind: "error", index: undefined, message: held.error };
    default:
      return held satisfies never;
  }
}

function setsList(patchType: CompiledMutation["patchType"], value: CelValue): boolean {
  try {
    return patchType === "ApplyConfiguration" && holdsList(applyConfigurationOf(value));
  } catch (error) {
    // It is told when it is applied.
    if (error instanceof CelError) return false;
    throw error;
  }
}

/** Of values that came from an expression, whose depth is bounded. */
function holdsList(value: Json): boolean {
  return isJsonList(value) || (isJsonRecord(value) && Object.values(value).some(holdsList));
}

/** @throws CelError */
function applied(
  patchType: CompiledMutation["patchType"],
  value: CelValue,
  object: JsonRecord,
  type: Atom,
): JsonRecord {
  if (patchType === "ApplyConfiguration")
    return mergeApplyConfiguration(object, applyConfigurationOf(value), type);
  const patched: Json = applyJsonPatch(object, jsonPatchOperations(value));
  if (!isJsonRecord(patched)) throw new CelError("JSON Patch: the result is not an object");
  // What the schema does not know the API server would drop without a word.
  const errors = patched === object ? [] : schemaErrors(type, patched, true);
  if (errors.length > 0 && schemaErrors(type, object, true).length === 0)
    throw new CelError(
      `JSON Patch: the result does not fit the object's schema: ${formatSchemaErrors(errors)}`,
    );
  return patched;
}
