/** A template's CEL (engine K8sNativeValidation) with a constraint's parameters. */
import type { CelCode } from "./gatekeeper-template.ts";
import { celLiteral, LiteralError } from "./literals.ts";
import { isPlain, type Plain, stated, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

/** Longest expression that a ShieldPolicy takes. */
const longest = 10_240;
const fields = [
  "validations",
  "failurePolicy",
  "matchCondition",
  "matchConditions",
  "variables",
  "generateVAP",
];
/** What Gatekeeper binds it to (pkg/drivers/k8scel/transform/cel_snippets.go). */
const anyObject =
  "has(request.operation) && request.operation == 'DELETE' && object == null ? oldObject : object";

/** Undefined, with the reasons told, where it cannot be carried over. */
export function celOf(
  template: Source,
  { source, path }: CelCode,
  parameters: unknown,
  constraint: Source,
): Plain | undefined {
  for (const key of Object.keys(source))
    if (!fields.includes(key)) template.lost(`${path}.${key}`, "is not a field that can be carried over");
  const params = paramsLiteral(parameters, constraint);
  const list = (field: string): readonly Plain[] => {
    const value = source[field] ?? [];
    if (Array.isArray(value) && value.every(isPlain)) return value;
    template.error(`${path}.${field}`, "must be a list of objects: correct it");
    return [];
  };
  const made = {
    engine: "cel",
    variables: [...givenVariables(source, params), ...list("variables")],
    matchConditions: [...list("matchCondition"), ...list("matchConditions")],
    validations: list("validations").map(withTrimmedMessage),
    failurePolicy: textAt(source, "failurePolicy") ?? "Fail",
  };
  return params === undefined || template.isFaulty ? undefined : made;
}

/** Those of Gatekeeper's own variables that the template reads. */
export function givenVariables(source: Plain, params: string | undefined): Plain[] {
  const text = JSON.stringify(source);
  return [
    { name: "anyObject", expression: anyObject },
    { name: "params", expression: params },
  ].filter(({ name }) => text.includes(name));
}

/** Gatekeeper gives null where a constraint has none. */
function paramsLiteral(parameters: unknown, constraint: Source): string | undefined {
  const path = "spec.parameters";
  if (constraint.get(path) === undefined) return "dyn(null)";
  try {
    const literal = `dyn(${celLiteral(parameters)})`;
    if (literal.length <= longest) return literal;
    constraint.error(
      path,
      `come to an expression of ${literal.length} characters, and ${longest} are allowed: put them into an object of a paramKind`,
    );
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    constraint.error(path, `${error.message}: simplify it`);
  }
  return undefined;
}

function withTrimmedMessage(validation: Plain): Plain {
  const message = textAt(validation, "message")?.trim();
  return stated({ ...validation, message: message === "" ? undefined : message });
}
