/** Rules that most requests keep, asked by the shortest way; whatever else comes of one is for evaluate.ts to tell. */
import type { Frame } from "../frame.ts";
import type { Program } from "../program.ts";
import { valuesOf } from "./activation.ts";
import { type CompiledParts, isPlain, rulesSee } from "./evaluate.ts";
import { expressionFrame, type IsLate } from "./expression.ts";
import { GroupActivation, type NamedExpression } from "./expression-group.ts";
import { RULES_COST_BUDGET } from "./limits.ts";
import type { CelAsked } from "./question.ts";

/** All there is to a policy: one validation, whatever its variables. */
export interface QuickRule {
  readonly program: Program;
  readonly variables: readonly NamedExpression[];
}

/** undefined: there is more to the policy. */
export function quickRuleOf(parts: CompiledParts): QuickRule | undefined {
  const [expression, ...others] = parts.validationExpressions;
  if (!isPlain(parts) || parts.messageCount > 0 || others.length > 0) return undefined;
  const program = expression?.program;
  return program && { program, variables: parts.variables };
}

/** One request, for one rule after the other. */
export class QuickRules {
  readonly #activation: GroupActivation;
  readonly #frame: Frame;
  readonly #isLate: IsLate;

  constructor({ question, authorize, isLate }: CelAsked & { readonly isLate: IsLate }) {
    const seen = { scope: rulesSee, variables: [], isLate };
    this.#activation = new GroupActivation(valuesOf(question, authorize), seen);
    this.#frame = expressionFrame(this.#activation);
    this.#isLate = isLate;
  }

  /**
   * Whether the rule is true, within its budget. False tells nothing but that: the rule is to be evaluated again, for what
   * there is to say of it.
   */
  isKept({ program, variables }: QuickRule): boolean {
    const [activation, frame] = [this.#activation, this.#frame];
    activation.restart(variables, this.#isLate);
    frame.restart(program.slotCount, this.#isLate);
    return program.valueIn(frame) === true && frame.cost + activation.cost <= RULES_COST_BUDGET;
  }
}
