import type { PathPart, RegoJson } from "@shieldx/policy-engine/decisions";
import type { HttpAnswer } from "../server/http-routes.ts";
import type { Answered } from "./decide.ts";
import { errorsOf } from "./decide.ts";
import { jsonText } from "./json-text.ts";
import { errorAnswer, OpaError } from "./opa-error.ts";
import { member } from "./question.ts";

/**
 * `POST /v1/compile`, partial evaluation. Plans are evaluated here, not simplified, so only what needs no simplifying
 * is answered: a rule, or a rule being true, with no unknowns.
 * @param ask refuses whoever may not ask for the rule itself
 * @throws OpaError 400, 501, and what `ask` throws
 */
export async function answerCompile(
  body: Readonly<Record<string, RegoJson>>,
  ask: (path: readonly PathPart[], input: RegoJson | undefined) => Promise<Answered>,
): Promise<HttpAnswer> {
  const query = member(body, "query");
  if (typeof query !== "string" || query.trim() === "")
    throw new OpaError(400, "invalid_parameter", "missing required 'query' value");
  const unknowns = member(body, "unknowns");
  const reference = /^data((?:\.[A-Za-z_]\w*)+)(\s*==\s*true)?$/.exec(query.trim());
  if (reference === null || !Array.isArray(unknowns) || unknowns.length > 0)
    throw new OpaError(
      501,
      "invalid_operation",
      'partial evaluation is not supported: send "unknowns": [] with a query such as data.app.allow == true, or ask /v1/data',
    );
  const { decision } = await ask((reference[1] ?? "").slice(1).split("."), member(body, "input"));
  if (decision.kind === "error")
    return errorAnswer(
      new OpaError(500, "internal_error", "error(s) occurred while evaluating query"),
      errorsOf(decision),
    );
  const value = decision.kind === "value" ? decision.value : undefined;
  // A query holds for whatever is neither undefined nor false.
  const holds = reference[2] === undefined ? value !== undefined && value !== false : value === true;
  return { status: 200, body: jsonText({ result: holds ? { queries: [[]] } : {} }, false) };
}
