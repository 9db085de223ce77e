/**
 * Warnings about expressions that do not fit the kinds a policy is about, as the API server gives them in
 * `status.typeChecking` of a ValidatingAdmissionPolicy (policy/validating/typechecking.go). They decide nothing.
 */
import { type CelType, DYN } from "../types.ts";
import { type AdmissionEnvironment, typedEnvironment } from "./environment.ts";
import {
  celTypesFromSchema,
  type OpenApiSchema,
  type SchemaResolver,
  type SchemaTypes,
} from "./schema-types.ts";
import type { CelRulesSpec } from "./spec.ts";
import { AdmissionTypes, variableType } from "./variables.ts";

/** A kind with its schema. */
export interface KindSchema {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: OpenApiSchema;
  readonly resolve: SchemaResolver;
}

export interface ExpressionWarning {
  /** For example `spec.validations[0].expression`. */
  readonly fieldRef: string;
  /** One paragraph per kind the expression does not fit. */
  readonly warning: string;
}

/** The server looks at no more kinds of one rule of matchConstraints. */
export const MAX_KINDS_TO_CHECK = 10;

/**
 * Checks validations and their messages against each of the kinds. `paramsSchema` is that of paramKind; without it
 * params are untyped.
 */
export function typeCheckCelRules(
  spec: CelRulesSpec,
  kinds: readonly KindSchema[],
  paramsSchema?: KindSchema,
): ExpressionWarning[] {
  const checked = kinds.slice(0, MAX_KINDS_TO_CHECK).flatMap((kind) => checkedKind(spec, kind, paramsSchema));
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string | undefined): void => {
    if (expression === undefined || expression === "") return;
    const found = checked.flatMap((kind) => kind.problems(expression));
    if (found.length > 0) warnings.push({ fieldRef, warning: found.join("\n") });
  };
  spec.validations?.forEach(({ expression, messageExpression }, index) => {
    check(`spec.validations[${index}].expression`, expression);
    check(`spec.validations[${index}].messageExpression`, messageExpression);
  });
  return warnings;
}

function checkedKind(spec: CelRulesSpec, kind: KindSchema, params: KindSchema | undefined): CheckedKind[] {
  const object = celTypesFromSchema(kind.kind, kind.schema, kind.resolve);
  const paramTypes = params && celTypesFromSchema(`${params.kind}Params`, params.schema, params.resolve);
  return object === undefined ? [] : [new CheckedKind(spec, kind, object, paramTypes)];
}

/** The expressions of a policy, typed for one kind of object. */
class CheckedKind {
  readonly #name: string;
  readonly #environment: AdmissionEnvironment;

  constructor(spec: CelRulesSpec, kind: KindSchema, object: SchemaTypes, params: SchemaTypes | undefined) {
    this.#name = `${kind.group}/${kind.version}, Kind=${kind.kind}`;
    const providers = params === undefined ? [object.provider] : [object.provider, params.provider];
    const types = new AdmissionTypes(providers);
    this.#environment = typedEnvironment({
      types,
      hasParams: spec.paramKind !== undefined,
      objectType: object.type,
      paramsType: params?.type ?? DYN,
    });
    for (const { name, expression } of spec.variables ?? []) {
      types.declareVariable(name, this.#resultType(expression));
    }
  }

  problems(expression: string): string[] {
    const compiled = this.#environment.compile(expression, expression, undefined);
    if (!("problem" in compiled)) return [];
    return [`${this.#name}: ${compiled.problem.issues}\n`];
  }

  /** A variable that does not fit is of unknown type to those that use it. */
  #resultType(expression: string): CelType {
    const compiled = this.#environment.compile(expression, expression, undefined);
    return "problem" in compiled ? DYN : variableType(compiled.resultType);
  }
}
