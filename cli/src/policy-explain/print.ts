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
import { printable } from "../printable.ts";

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
    terminal.out(`${paint(terminal, "bold", printable(titleOf(request)))}  (${printable(file)}:${line})\n`);
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
  const first = `  ${printable(policy)} (${engine}, ${action}): ${head}: ${printable(why)}`;
  const lines: string[] = [];
  if (isMutated) lines.push("    the object is judged as the policy's own mutations make it");
  if (engine !== "cel")
    for (const { checkId, reason, detail } of violations) lines.push(`    ${checkId}: ${reason} (${detail})`);
  for (const run of runs) lines.push(...runLines(run, isVerbose));
  for (const { name, counts, why: because } of exceptions)
    lines.push(`    ShieldException "${name}" ${counts ? "counts" : "does not count"}: ${because}`);
  return [first, ...lines.map(printable)].map((line) => `${line}\n`).join("");
}

/** What decided, with its parts; what is met and kept only if `isVerbose`. */
function runLines({ params, conditions, variables, rules }: ExplainedRun, isVerbose: boolean): string[] {
  const lines: string[] = [];
  for (const condition of conditions.filter((each) => isVerbose || !isMet(each)))
    lines.push(
      `    condition ${condition.name}: ${resultOf(condition)}: ${oneLine(condition)}`,
      ...partLines(condition),
    );
  const told = rules.filter(({ verdict }) => isVerbose || (verdict !== "kept" && verdict !== "notEvaluated"));
  for (const rule of told) {
    const field = rule.path.replace(/^spec\.|\.expression$/g, "");
    lines.push(`    ${field}: ${saidOf(rule)}: ${oneLine(rule)}`, ...partLines(rule));
  }
  const isNamed = (name = ""): boolean =>
    told.some(({ expression }) => expression.includes(`variables.${name}`));
  for (const variable of told.length === 0 ? [] : variables) {
    if (variable.result.kind === "notEvaluated") continue;
    lines.push(`    variables.${variable.name} = ${resultOf(variable)}: ${oneLine(variable)}`);
    if (isVerbose || isNamed(variable.name)) lines.push(...partLines(variable));
  }
  return params === undefined || lines.length === 0 ? lines : [`    with parameters "${params}":`, ...lines];
}

function isMet({ result }: ExplainedExpression): boolean {
  return result.kind === "value" && result.value === "true";
}

function saidOf({ verdict, message = "" }: ExplainedRule): string {
  return message === "" ? verdict : `${verdict} ("${message}")`;
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

/** In characters; the whole is in the policy. */
const longestLine = 160;

function oneLine({ expression }: ExplainedExpression): string {
  const line = expression.replace(/\s+/g, " ");
  return line.length <= longestLine ? line : `${line.slice(0, longestLine).toWellFormed()}…`;
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
