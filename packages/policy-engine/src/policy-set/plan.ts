import type { QuickRule } from "../cel/admission/index.ts";
import type { QuickQuery } from "../rego/evaluate/index.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { Judge } from "./judgement.ts";
import type { CompiledMatch } from "./match.ts";
import type { FindingAction } from "./verdict.ts";

/**
 * A policy as the loop over all of them needs it, in one object: what a request would otherwise gather from a dozen, for
 * each of hundreds of policies, is memory it waits for.
 */
export interface PlanStep {
  readonly policy: CompiledPolicy;
  readonly name: string;
  readonly action: FindingAction;
  /** Calls of which failurePolicy it is held against. */
  readonly calledBy: NonNullable<CompiledPolicy["calledBy"]>;
  readonly actsOn: CompiledPolicy["actsOn"];
  readonly match: CompiledMatch;
  readonly mustPass: Judge["mustPass"];
  readonly quick: QuickRule | undefined;
  readonly quickRego: QuickQuery | undefined;
}

/** Policies whose admission is off take no step. */
export function planOf(policies: readonly CompiledPolicy[]): readonly PlanStep[] {
  return policies.flatMap((policy) => {
    const { name, admission, failurePolicy, match, judge, actsOn, calledBy = failurePolicy } = policy;
    if (admission === "off") return [];
    const { mustPass, quick, quickRego } = judge;
    return [{ policy, name, action: admission, calledBy, actsOn, match, mustPass, quick, quickRego }];
  });
}
