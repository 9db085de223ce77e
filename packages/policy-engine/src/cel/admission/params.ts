/** Which parameter objects a policy is evaluated with (apiserver pkg/admission/plugin/policy/generic, CollectParams). */
import type { CelValue } from "../values.ts";
import { type CelParams, jsonValue } from "./question.ts";

/** What of a policy says whether it takes parameters. */
export interface TakesParams {
  readonly hasParamKind: boolean;
  readonly hasParamRef: boolean;
  readonly denyWithoutParams: boolean;
}

/** In the API server's words (policy/generic, CollectParams). */
export const NO_PARAMS =
  "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";

const noParams: readonly CelValue[] = Object.freeze([null]);

/** The parameter objects to evaluate with, each in turn, or why there are none; one null for a policy that takes none. */
export function paramsOf(
  { hasParamKind, hasParamRef, denyWithoutParams }: TakesParams,
  params: CelParams = { objects: [] },
): readonly CelValue[] | string {
  if (!hasParamKind || !hasParamRef) return noParams;
  if ("problem" in params) return params.problem;
  if (params.objects.length === 0 && denyWithoutParams) return NO_PARAMS;
  return params.objects.map(jsonValue);
}
