/** `strings.render_template`: Go's text/template over an object of variables (OPA's v1/topdown/template.go). */
import type { RegoValue } from "../values.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { templateData } from "./go/template-functions.ts";
import { parseTemplate } from "./go/template-parse.ts";
import { runTemplate } from "./go/template-run.ts";
import { TemplateError } from "./go/template-tokens.ts";
import { refuseLongPattern, refuseLongText } from "./limits.ts";
import { builtin, failure, objectOperand, textOperand } from "./operands.ts";

/** Pieces of output and rounds of loops. */
const maxSteps = 1_000_000;

function render(args: readonly RegoValue[], context: BuiltinContext): string {
  const source = textOperand(args, 1);
  const variables = objectOperand(args, 2);
  refuseLongPattern(source);
  context.spend(1 + source.length);
  const parts: string[] = [];
  let length = 0;
  let steps = 0;
  try {
    runTemplate(parseTemplate(source), templateData(variables), (text) => {
      length += text.length;
      steps += 1;
      refuseLongText(length);
      if (steps > maxSteps) {
        throw new LimitError(`the template takes more than ${maxSteps} steps`);
      }
      context.spend(1 + Math.floor(text.length / 16));
      parts.push(text);
    });
  } catch (error) {
    throw error instanceof TemplateError ? failure(error.message, error) : error;
  }
  return parts.join("").replaceAll("<no value>", "<undefined>");
}

export const templateBuiltins: readonly Builtin[] = [builtin("strings.render_template", 2, render)];
