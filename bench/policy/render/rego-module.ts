import type { BaseRule } from "../rules/base-rules.ts";
import { regoPreamble } from "../rules/rules.ts";

/** Rego for what a module takes from where it runs. */
export interface RegoTerms {
  /** The object of the request. */
  readonly resource: string;
  readonly params: string;
  readonly message: string;
}

/** A package whose `violation` holds an object with `msg` for each way in which a Pod breaks the rule (Rego v0). */
export function regoModule(packageName: string, base: BaseRule, terms: RegoTerms): string {
  const violations = base.rego.map((body) => `violation[{"msg": ${terms.message}}] {\n  ${body}\n}\n`);
  return [
    `package ${packageName}`,
    `\nresource := ${terms.resource}\n\nparams := ${terms.params}`,
    regoPreamble,
    base.regoFunctions ?? "",
    ...violations,
  ].join("\n");
}
