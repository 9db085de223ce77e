import type { ShieldPolicySpec } from "@shieldx/crds";

/** An expression of a policy and what it is for. */
export interface PolicyExpression {
  readonly path: string;
  readonly text: string;
  readonly use: "condition" | "variable" | "rule" | "message" | "annotation" | "mutation";
}

/** All expressions, in the order of the fields. */
export function expressionsOf(spec: ShieldPolicySpec): PolicyExpression[] {
  const {
    matchConditions = [],
    variables = [],
    validations = [],
    auditAnnotations = [],
    mutations = [],
  } = spec;
  return [
    ...matchConditions.map(
      ({ expression }, at): PolicyExpression => ({
        path: `spec.matchConditions[${at}].expression`,
        text: expression,
        use: "condition",
      }),
    ),
    ...variables.map(
      ({ expression }, at): PolicyExpression => ({
        path: `spec.variables[${at}].expression`,
        text: expression,
        use: "variable",
      }),
    ),
    ...validations.flatMap(({ expression, messageExpression }, at): PolicyExpression[] => [
      { path: `spec.validations[${at}].expression`, text: expression, use: "rule" },
      ...(messageExpression === undefined
        ? []
        : [
            {
              path: `spec.validations[${at}].messageExpression`,
              text: messageExpression,
              use: "message",
            } as const,
          ]),
    ]),
    ...auditAnnotations.map(
      ({ valueExpression }, at): PolicyExpression => ({
        path: `spec.auditAnnotations[${at}].valueExpression`,
        text: valueExpression,
        use: "annotation",
      }),
    ),
    ...mutations.flatMap(({ applyConfiguration, jsonPatch }, at): PolicyExpression[] =>
      (["applyConfiguration", "jsonPatch"] as const).flatMap((field) => {
        const text = (field === "jsonPatch" ? jsonPatch : applyConfiguration)?.expression;
        return text === undefined
          ? []
          : [{ path: `spec.mutations[${at}].${field}.expression`, text, use: "mutation" } as const];
      }),
    ),
  ];
}
