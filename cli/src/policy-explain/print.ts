import type {
  AdmissionRequestLike,
  Conclusion,
  ExplainedExpression,
  ExplainedRequest,
  ExplainedRule,
  ExplainedRun,
  Explanation,
} from "@shieldx/policy-engine";
import { paint, type Style, type Terminal } from "../output/terminal.ts";

/** A request with its explanations, and where what it was made of stands. */
export interface Shown extends ExplainedRequest {
  readonly file: string;
  readonly line: number;
}

const words: Record<Conclusion, string> = {
  breaks: "broken",
  fails: "in error",
  passes: "kept",
  exempted: "exempted",
  notMatched: "not about it",
  unknown: "cannot be told here",
};

function styleOf({ conclusion, isRefused }: Explanation): Style {
  if (isRefused) return "red";
  if (conclusion === "breaks" || conclusion === "fails" || conclusion === "unknown") return "yellow";
  return conclusion === "notMatched" ? "dim" : "green";
}

/** One paragraph for each policy; those that are not about a request in one line each, and only if `isVerbose`. */
export function printText(shown: readonly Shown[], isVerbose: boolean, terminal: Terminal): void {
  for (const { file, line, request, explanations } of shown) {
    terminal.out(`${paint(terminal, "bold", titleOf(request))}  (${file}:${line})\n`);
    const about = explanations.filter(({ conclusion }) => isVerbose || conclusion !== "notMatched");
    for (const explanation of about) terminal.out(paragraph(explanation, isVerbose, terminal));
    const others = explanations.length - about.length;
    if (others > 0)
      terminal.out(`  ${count(others, "policy is", "policies are")} not about it (--verbose says why)\n`);
  }
  const refused = shown.filter(({ explanations }) => explanations.some(({ isRefused }) => isRefused)).length;
  terminal.err(`${count(shown.length, "request", "requests")}, ${refused} refused\n`);
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function titleOf({
  operation,
  kind,
  namespace = "",
  name = "",
  subResource = "",
}: AdmissionRequestLike): string {
  const what = subResource === "" ? kind.kind : `${kind.kind}/${subResource}`;
  return `${operation} ${what} "${namespace === "" ? "" : `${namespace}/`}${name}"`;
}

function paragraph(explanation: Explanation, isVerbose: boolean, terminal: Terminal): string {
  const { policy, engine, action, conclusion, why, isMutated, violations, runs, exceptions } = explanation;
  const head = paint(terminal, styleOf(explanation), words[conclusion]);
  const lines = [`  ${policy} (${engine}, ${action}): ${head}: ${why}`];
  if (isMutated) lines.push("    the object is judged as the policy's own mutations make it");
  if (engine !== "cel")
    for (const { checkId, reason, detail } of violations) lines.push(`    ${checkId}: ${reason} (${detail})`);
  for (const run of runs) lines.push(...runLines(run, isVerbose));
  for (const { name, counts, why: because } of exceptions)
    lines.push(`    ShieldException "${name}" ${counts ? "counts" : "does not count"}: ${because}`);
  return `${lines.join("\n")}\n`;
}

/** Broken rules and false conditions with their parts; the rest in a line each, parts too if `isVerbose`. */
function runLines({ params, conditions, variables, rules }: ExplainedRun, isVerbose: boolean): string[] {
  const lines = params === undefined ? [] : [`    with parameters "${params}":`];
  for (const condition of conditions) {
    const isMet = condition.result.kind === "value" && condition.result.value === "true";
    lines.push(`    condition ${condition.name}: ${resultOf(condition)}: ${oneLine(condition)}`);
    if (!isMet || isVerbose) lines.push(...partLines(condition));
  }
  for (const rule of rules) {
    if (rule.verdict === "notEvaluated") continue;
    lines.push(`    ${rule.path.replace(/^spec\.|\.expression$/g, "")}: ${saidOf(rule)}: ${oneLine(rule)}`);
    if (rule.verdict !== "kept" || isVerbose) lines.push(...partLines(rule));
  }
  for (const variable of variables) {
    if (variable.result.kind === "notEvaluated") continue;
    lines.push(`    variables.${variable.name} = ${resultOf(variable)}: ${oneLine(variable)}`);
    if (isVerbose) lines.push(...partLines(variable));
  }
  return lines;
}

function saidOf({ verdict, message = "" }: ExplainedRule): string {
  return verdict === "kept" ? "kept" : `${verdict} ("${message}")`;
}

function resultOf({ result }: ExplainedExpression): string {
  switch (result.kind) {
    case "value":
      return result.value;
    case "error":
      return `error (${result.message})`;
    case "notEvaluated":
      return "not evaluated";
    default:
      return result satisfies never;
  }
}

function oneLine({ expression }: ExplainedExpression): string {
  return expression.replace(/\s+/g, " ");
}

function partLines({ parts }: ExplainedExpression): string[] {
  return parts.map(({ expression, values, times, depth }) => {
    const more = times > values.length ? [...values.slice(0, -1), "…", ...values.slice(-1)] : values;
    return `    ${"  ".repeat(depth)}${expression} = ${more.join(", ")}`;
  });
}

export function printJson(shown: readonly Shown[], terminal: Terminal): void {
  const requests = shown.map(({ file, line, request, explanations }) => {
    const { operation, kind, resource, subResource, namespace, name } = request;
    const isRefused = explanations.some((each) => each.isRefused);
    return {
      file,
      line,
      operation,
      kind,
      resource,
      subResource,
      namespace,
      name,
      isRefused,
      policies: explanations,
    };
  });
  terminal.out(`${JSON.stringify({ requests }, null, 2)}\n`);
}
