import type { ShieldPolicySpec } from "@shieldx/crds";
import { NO_PARAMS } from "../../cel/admission/params.ts";
import type { CelParams } from "../../cel/admission/question.ts";
import { AwaitsOutcome, CallError, EvaluationError, type HttpAccess } from "../../rego/builtins/contract.ts";
import type { AllowedHost } from "../../rego/calls/index.ts";
import { QuickQueries, SharedResults } from "../../rego/evaluate/index.ts";
import type { RegoProgram, RegoQuestion } from "../../rego/program/index.ts";
import type { RegoValue } from "../../rego/values.ts";
import { type InventoryKind, inventoryKindsOf, inventoryProblem } from "../inventory.ts";
import {
  type Judge,
  type Judgement,
  noAnnotations,
  outOfTime,
  passes,
  type Violation,
} from "../judgement.ts";
import { isLeftAlone } from "../left-alone.ts";
import { paramFinder, paramReferenceOf } from "../params.ts";
import type { Question } from "../question.ts";
import { celRules, mustPass } from "./cel.ts";

/** Who calls hosts, and which it may. */
export interface Caller {
  /** Name of the policy. */
  readonly policy: string;
  readonly hosts: readonly AllowedHost[];
}

/**
 * Rules in Rego.
 *
 * @throws PolicyCompileError naming the matchCondition that cannot be compiled, and where in it.
 */
export function regoJudge(spec: ShieldPolicySpec, program: RegoProgram, caller: Caller): Judge {
  const conditions = conditionsOf(spec);
  const kinds = inventoryKindsOf(spec);
  const judgeWith = (question: Question, params: CelParams | undefined, parameters: unknown): Judgement => {
    const met = conditions?.(question, params) ?? passes;
    return met.kind === "passes" ? judgementOf(program, caller, kinds, question, parameters) : met;
  };
  return {
    basis: "",
    reaches: (group, resource, subresource) => !isLeftAlone(group, resource, subresource, undefined),
    mustPass,
    quickRego: isPlain(spec, caller, kinds) ? program.quick : undefined,
    judge: withParameters(spec, judgeWith),
    describe: ({ detail }) => detail,
    partOf: () => "",
    hint: "",
  };
}

/** Nothing but the program decides, and it is asked about nothing but the request. */
function isPlain(
  { matchConditions = [], paramKind }: ShieldPolicySpec,
  { hosts }: Caller,
  kinds: readonly InventoryKind[],
): boolean {
  return matchConditions.length === 0 && paramKind === undefined && hosts.length === 0 && kinds.length === 0;
}

/** For programs that are asked about nothing but the request. */
export function quickQueries(question: Question): QuickQueries {
  return new QuickQueries(question.forRego, question.once(contextOf));
}

/** Conditions are in CEL whatever the engine: a policy of engine cel with nothing but these. */
function conditionsOf(spec: ShieldPolicySpec): ReturnType<typeof celRules> | undefined {
  if ((spec.matchConditions ?? []).length === 0) return undefined;
  return celRules({ ...spec, variables: [], validations: [{ expression: "true" }], auditAnnotations: [] });
}

type JudgeWith = (question: Question, params: CelParams | undefined, parameters: unknown) => Judgement;

/** Each parameter object must be satisfied, as with engine cel; without a paramKind there is one question, and none. */
function withParameters(spec: ShieldPolicySpec, judgeWith: JudgeWith): Judge["judge"] {
  const reference = paramReferenceOf(spec);
  if (reference === undefined) return (question) => judgeWith(question, undefined, undefined);
  const find = paramFinder(reference);
  const isNeeded = spec.paramRef?.parameterNotFoundAction === "Deny";
  return (question) => {
    const params = find(question.context.params, question.namespace);
    if ("problem" in params) return evaluationFailed(params.problem);
    if (params.objects.length === 0) return isNeeded ? evaluationFailed(NO_PARAMS) : irrelevant;
    const judgements: Judgement[] = [];
    for (const object of params.objects) {
      // Time that is over is told once, however many there are; to those not looked at nothing is known to be right.
      if (judgements.length > 0 && question.isLate()) {
        judgements.push(outOfTime(question));
        break;
      }
      judgements.push(judgeWith(question, { objects: [object] }, object));
    }
    return together(judgements);
  };
}

/** What there is to ask goes first, then what is wrong, then what could not be told. */
function together(judgements: readonly Judgement[]): Judgement {
  const [first = irrelevant, ...others] = judgements;
  if (others.length === 0) return first;
  const checks = judgements.flatMap((each) => (each.kind === "asks" ? each.checks : []));
  if (checks.length > 0) return { kind: "asks", checks };
  const violations = judgements.flatMap((each) => (each.kind === "breaks" ? each.violations : []));
  const unjudged = judgements.find((each) => each.kind === "fails");
  if (violations.length > 0) return { ...breaks(distinct(violations)), unjudged };
  return unjudged ?? judgements.find(({ kind }) => kind === "passes") ?? irrelevant;
}

function distinct(violations: readonly Violation[]): Violation[] {
  return [...new Map(violations.map((violation) => [violation.detail, violation])).values()];
}

const irrelevant: Judgement = Object.freeze({ kind: "irrelevant" });

const statusReason = "Forbidden";

function breaks(violations: readonly Violation[]): Extract<Judgement, { kind: "breaks" }> {
  return { kind: "breaks", violations, isMalformed: false, annotations: noAnnotations, statusReason };
}

function evaluationFailed(problem: string): Judgement {
  return { kind: "fails", code: "EvaluationError", problem };
}

function judgementOf(
  program: RegoProgram,
  caller: Caller,
  kinds: readonly InventoryKind[],
  question: Question,
  parameters: unknown,
): Judgement {
  const { inventory } = question.context;
  const problem = kinds.length === 0 ? undefined : inventoryProblem(kinds, inventory);
  if (problem !== undefined) return evaluationFailed(problem);
  const data = kinds.length === 0 ? undefined : inventory?.documents;
  const asked = question.forRego;
  const input = parameters === undefined ? asked : { ...asked, parameters: parameters as RegoValue };
  const shared = question.once(contextOf);
  const context = caller.hosts.length === 0 ? shared : { ...shared, ...callsOf(caller, question) };
  let messages: readonly string[];
  try {
    messages = program.evaluate({ input, data, context });
  } catch (error) {
    if (error instanceof AwaitsOutcome) return { kind: "asks", checks: [error.call] };
    if (!(error instanceof EvaluationError)) throw error;
    return { kind: "fails", code: codeOf(error, question), problem: problemOf(error) };
  }
  if (messages.length === 0) return passes;
  return breaks(messages.map((detail) => ({ checkId: program.rule, reason: statusReason, detail })));
}

/** Members of the input that are not the same for all policies. */
const varying = ["parameters"];

/** What all policies are asked with, and find out together about the request. */
function contextOf(question: Question): RegoQuestion["context"] {
  const { onSpent } = question.context;
  return {
    nowNs: BigInt(Math.trunc(question.context.now)) * 1_000_000n,
    isPastDeadline: question.isLate,
    shared: new SharedResults(question.forRego, varying),
    ...(onSpent === undefined ? {} : { onWork: (units: number) => onSpent("rego", units) }),
  };
}

/** Where the policy lists no hosts `http.send` says so. */
function callsOf({ policy, hosts }: Caller, question: Question): Partial<RegoQuestion["context"]> {
  const { calls } = question.context;
  const http: HttpAccess = { hosts, lookUp: (call) => calls?.lookUp(policy, call) };
  return calls === undefined ? { http } : { http, randomBytes: calls.randomBytes(policy) };
}

function codeOf(error: EvaluationError, question: Question) {
  if (error.cause instanceof CallError && error.cause.mayPass) return "CallFailed";
  return question.isLate() ? "DeadlineExceeded" : "EvaluationError";
}

function problemOf({ code, message, location }: EvaluationError): string {
  const place = location === undefined ? "" : `line ${location.row}, column ${location.col}: `;
  return `${place}${message} (${code})`;
}
