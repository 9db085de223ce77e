/**
 * Values into text: `sprintf`, template strings (`$"{x}"`), `print` and `trace`
 * (OPA's v1/topdown/strings.go, template_string.go, print.go).
 */
import { isNumber, isSet, type RegoValue, typeName } from "../values.ts";
import { countWork } from "../work-meter.ts";
import { type Builtin, type BuiltinContext, EvaluationError } from "./contract.ts";
import { type PrintfArgument, printf } from "./go/printf.ts";
import { refuseLongText } from "./limits.ts";
import { arrayOperand, builtin, textOperand } from "./operands.ts";
import { plainText, valueText } from "./value-text.ts";

/** How many lines one `print` may make of undefined and many-valued operands. */
const maxPrintedLines = 1_000;

function sprintf(args: readonly RegoValue[], context: BuiltinContext): string {
  const format = textOperand(args, 1);
  const values = arrayOperand(args, 2).map((value): PrintfArgument => {
    context.spend(1);
    return typeof value === "string" || isNumber(value) ? value : valueText(value);
  });
  const parts: string[] = [];
  let length = 0;
  printf(format, values, (text) => {
    length += text.length;
    refuseLongText(length);
    context.spend(1 + Math.floor(text.length / 16));
    parts.push(text);
  });
  return parts.join("");
}

/**
 * An operand of print or of a template string: a value the compiler knows to be defined, or the set of a
 * comprehension around it, empty when the operand is undefined.
 */
function operandTexts(value: RegoValue): readonly string[] {
  if (isSet(value)) {
    return value.size === 0 ? ["<undefined>"] : value.sorted().map(plainText);
  }
  if (typeof value === "object" && value !== null) {
    throw new EvaluationError("eval_internal_error", `illegal argument type: ${typeName(value)}`);
  }
  return [plainText(value)];
}

/** Every combination of the operands' texts, in order, up to `limit` of them. */
function combinations(
  operands: readonly (readonly string[])[],
  limit: number,
): readonly (readonly string[])[] {
  let lines: readonly (readonly string[])[] = [[]];
  for (const texts of operands) {
    const next: (readonly string[])[] = [];
    for (const line of lines) {
      for (const text of texts) {
        if (next.length < limit) {
          countWork(line.length + 1);
          next.push([...line, text]);
        }
      }
    }
    lines = next;
  }
  return lines;
}

function spendOnParts(parts: readonly string[], context: BuiltinContext): void {
  const length = parts.reduce((total, part) => total + part.length, 0);
  refuseLongText(length);
  context.spend(1 + parts.length + Math.floor(length / 16));
}

function templateString(args: readonly RegoValue[], context: BuiltinContext): string {
  const lines = combinations(arrayOperand(args, 1).map(operandTexts), 2);
  if (lines.length > 1) {
    throw new EvaluationError("eval_conflict_error", "template-strings must not produce multiple outputs");
  }
  const parts = lines[0] ?? [];
  spendOnParts(parts, context);
  return parts.join("");
}

function print(args: readonly RegoValue[], context: BuiltinContext): boolean {
  for (const line of combinations(arrayOperand(args, 1).map(operandTexts), maxPrintedLines)) {
    spendOnParts(line, context);
    context.print(line.join(" "));
  }
  return true;
}

export const textFormatBuiltins: readonly Builtin[] = [
  builtin("sprintf", 2, sprintf),
  builtin("internal.template_string", 1, templateString),
  builtin("internal.print", 1, print),
  builtin("trace", 1, (args, context) => {
    context.trace(textOperand(args, 1));
    return true;
  }),
  builtin("internal.test_case", 1, () => true),
];
