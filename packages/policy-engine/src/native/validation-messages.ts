import type { ShieldPolicySpec } from "@shieldx/crds";
import { celString, closed } from "./cel-text.ts";

type Validation = NonNullable<ShieldPolicySpec["validations"]>[number];

/**
 * Gives every validation a message that names the ShieldPolicy: a person sees the name of the rendered object
 * otherwise, which is not the one to look up or to change.
 */
export function withNamedMessages(policy: string, validations: readonly Validation[]): Validation[] {
  const prefix = `ShieldPolicy "${policy}": `;
  return validations.map((validation) => ({
    ...validation,
    message: prefix + (validation.message ?? `this must hold: ${inOneLine(validation.expression)}`),
    // An empty result makes the server fall back to `message`; it must stay empty for that.
    ...(validation.messageExpression === undefined
      ? {}
      : {
          messageExpression: `[${closed(validation.messageExpression)}].map(m, m == '' ? m : ${celString(prefix)} + m)[0]`,
        }),
  }));
}

const maxShownLength = 256;

function inOneLine(expression: string): string {
  const line = expression.replace(/\s+/gu, " ").trim();
  return line.length <= maxShownLength ? line : `${line.slice(0, maxShownLength - 1).toWellFormed()}…`;
}
