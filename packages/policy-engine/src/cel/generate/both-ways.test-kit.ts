import { asClosures, asCode } from "../../generate/pace.test-kit.ts";
import { formatValue } from "../format-value.ts";
import type { Activation, EvaluateOptions } from "../frame.ts";
import type { Outcome, Program } from "../program.ts";

/** Evaluates a program as closures and another of the same as code. Throws when anything about it differs. */
export function evaluateBothWays(
  make: () => Program,
  activation: Activation,
  options?: EvaluateOptions,
): Outcome {
  const closures = asClosures(() => make().tryEvaluate(activation, options));
  const code = asCode(() => make().tryEvaluate(activation, options));
  const [expected, found] = [shown(closures), shown(code)];
  if (expected !== found) throw new Error(`closures: ${expected}; generated: ${found}`);
  return code;
}

function shown(outcome: Outcome): string {
  const { cost } = outcome;
  if (outcome.kind === "value") return `${formatValue(outcome.value)}, cost ${cost}`;
  return `${outcome.error.name}: ${outcome.error.message}, cost ${cost}`;
}
