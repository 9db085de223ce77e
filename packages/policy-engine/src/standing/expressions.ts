/** CEL of policies that are asked outside any request: compiled once, evaluated for a namespace or an object. */

import { valuesOf } from "../cel/admission/activation.ts";
import { standingEnvironment } from "../cel/admission/environment.ts";
import type { CompiledExpression, IsLate } from "../cel/admission/expression.ts";
import {
  evaluateGroup,
  type GroupContext,
  type NamedExpression,
  OUT_OF_BUDGET,
} from "../cel/admission/expression-group.ts";
import { RULES_COST_BUDGET } from "../cel/admission/limits.ts";
import { heldConditions } from "../cel/admission/match-conditions.ts";
import type { CelRequest } from "../cel/admission/question.ts";
import type { VariableSpec } from "../cel/admission/spec.ts";
import { AdmissionTypes, variableType } from "../cel/admission/variables.ts";
import { BOOL, type CelType } from "../cel/types.ts";
import type { CelValue } from "../cel/values.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";

/** An expression and the field it stands in, e.g. `spec.since`. */
export interface ExpressionField {
  readonly path: string;
  readonly expression: string;
  /** What it must give; left out, anything. */
  readonly type?: CelType;
}

export interface StandingSpec {
  readonly matchConditions?: readonly { readonly expression: string }[] | undefined;
  readonly variables?: readonly VariableSpec[] | undefined;
  readonly values: readonly ExpressionField[];
  /** Whether expressions see `object`, or `namespaceObject` alone. */
  readonly seesObject: boolean;
}

/** What is asked about. */
export interface StandingSubject {
  readonly object?: unknown;
  readonly namespaceObject: unknown;
}

export type Held =
  | { readonly kind: "yes" }
  | { readonly kind: "no" }
  | { readonly kind: "error"; readonly message: string };

export type Value =
  | { readonly kind: "value"; readonly value: CelValue }
  | { readonly kind: "error"; readonly message: string };

export interface StandingExpressions {
  /** Whether every matchCondition is true. One that is false counts more than one in error. */
  holds(subject: StandingSubject, isLate: IsLate): Held;
  /** One for each of the values, in their order. */
  values(subject: StandingSubject, isLate: IsLate): readonly Value[];
}

/** @throws PolicyCompileError naming the first field that is wrong, and all others in its message. */
export function compileStanding(spec: StandingSpec): StandingExpressions {
  const compiler = new StandingCompiler(spec.seesObject);
  const conditions = (spec.matchConditions ?? []).flatMap(({ expression }, index) =>
    compiler.expression({ path: `spec.matchConditions[${index}].expression`, expression, type: BOOL }, false),
  );
  const variables = (spec.variables ?? []).flatMap((variable, index) => compiler.variable(variable, index));
  const hasVariables = (spec.variables ?? []).length > 0;
  const values = spec.values.flatMap((field) => compiler.expression(field, hasVariables));
  compiler.done();
  const scope = { params: undefined, hasNamespace: true, hasAuthorizer: false };
  const contextFor = (subject: StandingSubject, isLate: IsLate): GroupContext => ({
    values: valuesOf({ request: noRequest, ...subject }, undefined),
    scope,
    variables,
    isLate,
    // There is no authorizer to wait for.
    onPending: () => {},
  });
  return {
    holds: (subject, isLate) => {
      if (conditions.length === 0) return { kind: "yes" };
      const held = heldConditions(conditions, contextFor(subject, isLate));
      return held.kind === "open"
        ? { kind: "error", message: held.error ?? "no value" }
        : { kind: held.kind };
    },
    values: (subject, isLate) => {
      if (values.length === 0) return [];
      const group = evaluateGroup(values, contextFor(subject, isLate), RULES_COST_BUDGET);
      return values.map((_, at) => {
        const result = group.results[at];
        if (result?.kind === "value" || result?.kind === "error") return result;
        return { kind: "error", message: OUT_OF_BUDGET };
      });
    },
  };
}

/** No expression can see it. */
const noRequest: CelRequest = {
  kind: { group: "", version: "", kind: "" },
  resource: { group: "", version: "", resource: "" },
  operation: "",
};

class StandingCompiler {
  readonly #types = new AdmissionTypes();
  readonly #seesObject: boolean;
  readonly #problems: { readonly path: string; readonly message: string }[] = [];

  constructor(seesObject: boolean) {
    this.#seesObject = seesObject;
  }

  variable({ name, expression }: VariableSpec, index: number): NamedExpression[] {
    const path = `spec.variables[${index}].expression`;
    // Those before it are in sight, as in a ValidatingAdmissionPolicy.
    const [compiled] = this.expression({ path, expression }, index > 0);
    if (compiled === undefined) return [];
    this.#types.declareVariable(name, variableType(compiled.resultType));
    return [{ name, expression: compiled }];
  }

  /** Nothing where it does not compile, which `done` tells. */
  expression({ path, expression, type }: ExpressionField, hasVariables: boolean): CompiledExpression[] {
    const environment = standingEnvironment({
      types: this.#types,
      seesObject: this.#seesObject,
      hasVariables,
    });
    const compiled = environment.compile(expression, expression.trim(), type && [type]);
    if (!("problem" in compiled)) return [compiled];
    this.#problems.push({ path, message: compiled.problem.message });
    return [];
  }

  done(): void {
    const [first, ...more] = this.#problems;
    if (first === undefined) return;
    const rest = more.map(({ path, message }) => `; ${path}: ${message}`).join("");
    throw new PolicyCompileError("Invalid", first.path, `${first.message}${rest}`);
  }
}
