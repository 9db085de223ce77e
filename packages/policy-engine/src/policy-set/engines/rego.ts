import type { ShieldPolicySpec } from "@shieldx/crds";
import { EvaluationError } from "../../rego/builtins/contract.ts";
import type { RegoProgram, RegoSource } from "../../rego/program/index.ts";
import { type Judge, type Judgement, noAnnotations, passes } from "../judgement.ts";
import { isLeftAlone } from "../left-alone.ts";
import type { Question } from "../question.ts";
import { celJudge, mustPass } from "./cel.ts";

/** What a policy of engine rego is compiled from; undefined where it says nothing of it. */
export function regoSourceOf({
  engine,
  rego,
}: Pick<ShieldPolicySpec, "engine" | "rego">): RegoSource | undefined {
  if (engine !== "rego" || typeof rego?.module !== "string") return undefined;
  const { module, version, entrypoint } = rego;
  return { modules: { "policy.rego": module }, version: version ?? "v1", entrypoint };
}

/**
 * Rules in Rego.
 *
 * @throws PolicyCompileError naming the matchCondition that cannot be compiled, and where in it.
 */
export function regoJudge(spec: ShieldPolicySpec, program: RegoProgram): Judge {
  const conditions = conditionsOf(spec);
  return {
    basis: "",
    reaches: (group, resource, subresource) => !isLeftAlone(group, resource, subresource, undefined),
    mustPass,
    judge(question) {
      const met = conditions?.judge(question) ?? passes;
      return met.kind === "passes" ? judgementOf(program, question) : met;
    },
    describe: ({ detail }) => detail,
    partOf: () => "",
    hint: "",
  };
}

/** Conditions are in CEL whatever the engine: a policy of engine cel with nothing but these. */
function conditionsOf(spec: ShieldPolicySpec): Judge | undefined {
  if ((spec.matchConditions ?? []).length === 0) return undefined;
  return celJudge({ ...spec, variables: [], validations: [{ expression: "true" }], auditAnnotations: [] });
}

const statusReason = "Forbidden";

function judgementOf(program: RegoProgram, question: Question): Judgement {
  const { data, now } = question.context;
  const context = { nowNs: BigInt(Math.trunc(now)) * 1_000_000n, isPastDeadline: question.isLate };
  let messages: readonly string[];
  try {
    messages = program.evaluate({ input: question.forRego, data, context });
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const code = question.isLate() ? "DeadlineExceeded" : "EvaluationError";
    return { kind: "fails", code, problem: problemOf(error) };
  }
  if (messages.length === 0) return passes;
  const violations = messages.map((detail) => ({ checkId: program.rule, reason: statusReason, detail }));
  return { kind: "breaks", violations, isMalformed: false, annotations: noAnnotations, statusReason };
}

function problemOf({ code, message, location }: EvaluationError): string {
  const place = location === undefined ? "" : `line ${location.row}, column ${location.col}: `;
  return `${place}${message} (${code})`;
}
