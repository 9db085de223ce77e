import type { CompiledPolicy } from "./compile.ts";
import { type CompiledException, standingOf } from "./exceptions.ts";
import { type Judgement, outOfTime, type Unjudged, type Violation } from "./judgement.ts";
import type { MatchSubject } from "./match.ts";
import { errorMessage, violationMessage } from "./message.ts";
import type { PlanStep } from "./plan.ts";
import type { Question } from "./question.ts";
import type { Finding, FindingAction, VerdictBuilder } from "./verdict.ts";

/** Holds one policy against a question and tells the builder what came of it. Never throws. */
export function holdPolicy(
  policy: CompiledPolicy,
  action: FindingAction,
  question: Question,
  exceptions: readonly CompiledException[],
  builder: VerdictBuilder,
  subject: MatchSubject = question.subject,
): void {
  try {
    hold(policy, action, question, exceptions, builder, subject);
  } catch (error) {
    builder.add(internalError(policy, action, question, error));
  }
}

/** Whether the policy lets the request pass unseen, or could not tell, which is told then. Never throws. */
export function isLetPass(
  { policy, action, mustPass }: PlanStep,
  question: Question,
  builder: VerdictBuilder,
): boolean {
  try {
    return question.mustBeLetPass(mustPass);
  } catch (error) {
    // It is the policy's to tell only where the request is its own.
    if (isAbout(policy, question)) builder.add(internalError(policy, action, question, error));
    return true;
  }
}

function isAbout({ match }: CompiledPolicy, question: Question): boolean {
  try {
    return question.answer(match, question.subject) !== "no";
  } catch {
    // Whatever it is, there is an error to tell already.
    return true;
  }
}

function hold(
  policy: CompiledPolicy,
  action: FindingAction,
  question: Question,
  exceptions: readonly CompiledException[],
  builder: VerdictBuilder,
  subject: MatchSubject,
): void {
  const answer = question.answer(policy.match, subject);
  if (answer === "no") return;
  if (answer === "namespaceUnknown") {
    builder.matched(policy.name);
    const problem = `the labels of namespace "${question.namespace}" are not known`;
    builder.add(failure(policy, action, question, "NamespaceUnknown", problem));
    return;
  }
  const judgement: Judgement = question.isLate() ? outOfTime(question) : policy.judge.judge(question);
  if (judgement.kind === "irrelevant") return;
  builder.matched(policy.name);
  switch (judgement.kind) {
    case "passes":
      builder.annotate(policy.name, judgement.annotations);
      return;
    case "asks":
      builder.ask(policy.name, judgement.checks);
      return;
    case "exempt":
      builder.exempt({ policy: policy.name, ground: judgement.ground, violations: [] });
      return;
    case "fails": {
      const exception = exceptionFor(judgement, policy, question, exceptions);
      if (exception === undefined) fail(policy, action, question, judgement, builder);
      else setAside(policy, exception, [], builder);
      return;
    }
    case "breaks": {
      builder.annotate(policy.name, judgement.annotations);
      const { unjudged } = judgement;
      const exception = unjudged && exceptionFor(unjudged, policy, question, exceptions);
      if (exception !== undefined) {
        setAside(policy, exception, judgement.violations, builder);
        return;
      }
      const remaining = judgement.isMalformed
        ? judgement.violations
        : withoutExcepted(policy, judgement.violations, question, exceptions, builder);
      if (remaining.length === 0) {
        if (unjudged !== undefined) fail(policy, action, question, unjudged, builder);
        return;
      }
      builder.add({
        policy: policy.name,
        action,
        code: judgement.isMalformed ? "MalformedObject" : "PolicyViolation",
        message: violationMessage(policy, action, question.about(policy.judge.partOf(question)), remaining),
        violations: remaining,
        statusReason: judgement.statusReason,
      });
      return;
    }
    default:
      judgement satisfies never;
  }
}

/** An exception sets aside what the rules would say; here they would have said something, only not what. */
function exceptionFor(
  { code }: Unjudged,
  policy: CompiledPolicy,
  question: Question,
  exceptions: readonly CompiledException[],
): CompiledException | undefined {
  const mayBeSetAside = code === "EvaluationError" || code === "CallFailed";
  return mayBeSetAside ? coveringException(policy, question, exceptions) : undefined;
}

function setAside(
  { name: policy }: CompiledPolicy,
  { key: exception }: CompiledException,
  violations: readonly Violation[],
  builder: VerdictBuilder,
): void {
  builder.exempt({ policy, ground: "exception", exception, violations });
}

function fail(
  policy: CompiledPolicy,
  action: FindingAction,
  question: Question,
  unjudged: Unjudged,
  builder: VerdictBuilder,
): void {
  const { code, problem } = question.wasLate ? outOfTime(question) : unjudged;
  builder.add(failure(policy, action, question, code, problem));
}

function withoutExcepted(
  policy: CompiledPolicy,
  violations: readonly Violation[],
  question: Question,
  exceptions: readonly CompiledException[],
  builder: VerdictBuilder,
): readonly Violation[] {
  let remaining = violations;
  for (const exception of exceptions) {
    if (!isHonoured(policy, exception, question)) continue;
    const isSetAside = ({ checkId }: Violation) =>
      exception.checks === undefined || exception.checks.has(checkId);
    const covered = remaining.filter(isSetAside);
    if (covered.length === 0) continue;
    setAside(policy, exception, covered, builder);
    remaining = remaining.filter((violation) => !isSetAside(violation));
  }
  return remaining;
}

function isHonoured(policy: CompiledPolicy, exception: CompiledException, question: Question): boolean {
  const { object, oldObject, kind } = question.request;
  if (!exception.covers(object ?? oldObject, kind.kind)) return false;
  const { now, namespaceLabels } = question.context;
  return standingOf(policy.exceptions, exception, now, namespaceLabels).honoured;
}

/** One that is not limited to single checks. */
export function coveringException(
  policy: CompiledPolicy,
  question: Question,
  exceptions: readonly CompiledException[],
): CompiledException | undefined {
  return exceptions.find(
    (exception) => exception.checks === undefined && isHonoured(policy, exception, question),
  );
}

/** A defect of ours, which failurePolicy decides as it does an expression's. */
function internalError(
  policy: CompiledPolicy,
  action: FindingAction,
  question: Question,
  error: unknown,
): Finding {
  return failure(policy, action, question, "InternalError", `internal error: ${String(error)}`);
}

/** By failurePolicy Fail the failure counts like a violation, by Ignore it is only noted (as ValidatingAdmissionPolicy does). */
export function failure(
  policy: CompiledPolicy,
  action: FindingAction,
  question: Question,
  code: Finding["code"],
  problem: string,
): Finding {
  return {
    policy: policy.name,
    action: policy.failurePolicy === "Fail" ? action : "audit",
    code,
    message: errorMessage(policy, question.about(policy.judge.partOf(question)), problem),
    violations: [],
    statusReason: "Forbidden",
  };
}
