/**
 * The CEL environments of admission (apiserver pkg/cel/environment/base.go): which libraries expressions of a
 * ValidatingAdmissionPolicy have, and the variables of each of its fields.
 */

import { Interned } from "../../interned.ts";
import type { Frame } from "../frame.ts";
import {
  type Activation,
  CelCompileError,
  CelEnvironment,
  CelError,
  type CelIssue,
  CelPending,
  type CheckedAst,
  check,
  compile,
  type Library,
  type Observer,
  type Outcome,
  type Program,
  type EvaluateOptions as ProgramOptions,
  type Variable,
} from "../index.ts";
import { AUTHORIZER, RESOURCE_CHECK } from "../kubernetes/kubernetes-types.ts";
import { patchLibrary } from "../kubernetes/patch-types.ts";
import { type CelType, DYN, sameType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { NAMESPACE_TYPE, REQUEST_TYPE, VARIABLES_TYPE } from "./declarations.ts";
import type { CompiledExpression } from "./expression.ts";
import { admissionLibraries } from "./libraries.ts";
import { PER_CALL_COST_LIMIT } from "./limits.ts";
import { checkLiterals } from "./literal-checks.ts";
import { isOfRequestOnly } from "./of-request-only.ts";
import type { AdmissionTypes } from "./variables.ts";

export interface EnvironmentScope {
  readonly types: AdmissionTypes;
  readonly hasParams: boolean;
  readonly hasAuthorizer: boolean;
  readonly hasVariables: boolean;
  /** `Object` and `JSONPatch`: for mutations only. */
  readonly hasPatchTypes?: boolean;
}

/** Types to look for warnings with. */
export interface TypedScope {
  readonly types: AdmissionTypes;
  readonly hasParams: boolean;
  readonly objectType: CelType;
  readonly paramsType: CelType;
}

export interface ExpressionProblem {
  /** With line and column, for people. */
  readonly message: string;
  /** As the API server words it. */
  readonly detail: string;
  /** The API server calls it an internal error. */
  readonly isInternal: boolean;
  /** The compiler's own text, without what is said around it. */
  readonly issues: string;
}

export interface AdmissionEnvironment {
  /**
   * Compiles `text`. Messages call it `source`. Its type must be one of `resultTypes`, to the letter: an expression of
   * unknown type is no bool. With `observe` the program tells what its parts come to, and is nobody else's.
   */
  compile(
    source: string,
    text: string,
    resultTypes: readonly CelType[] | undefined,
    observe?: ObserveExpression,
  ): CompiledExpression | { readonly problem: ExpressionProblem };
}

/** Gives an expression somebody who is told of it. */
export type ObserveExpression = (checked: CheckedAst) => Observer;

/** The environment for the expressions of a policy: objects and parameters are of unknown type. */
export function admissionEnvironment(scope: EnvironmentScope): AdmissionEnvironment {
  const variables = [
    ...requestVariables(DYN),
    ...(scope.hasParams ? [{ name: "params", type: DYN }] : []),
    ...(scope.hasVariables ? [{ name: "variables", type: VARIABLES_TYPE }] : []),
    ...(scope.hasAuthorizer
      ? [
          { name: "authorizer", type: AUTHORIZER },
          { name: "authorizer.requestResource", type: RESOURCE_CHECK },
        ]
      : []),
  ];
  if (scope.hasPatchTypes !== true) return environmentOf(scope.types, variables, interned);
  return environmentOf(scope.types, variables, undefined, [...admissionLibraries, patchLibrary]);
}

/** Of all policies: what they have in common is known by its text. */
const interned = new Interned<CompiledExpression>();

/**
 * The environment in which warnings are looked for: as upstream's, without authorizer.requestResource
 * (buildEnvSet in policy/validating/typechecking.go).
 */
export function typedEnvironment(scope: TypedScope): AdmissionEnvironment {
  return environmentOf(scope.types, [
    ...requestVariables(scope.objectType),
    ...(scope.hasParams ? [{ name: "params", type: scope.paramsType }] : []),
    { name: "variables", type: VARIABLES_TYPE },
    { name: "authorizer", type: AUTHORIZER },
  ]);
}

/** The environment of policies about what stands in the cluster: there is no request, and nobody who asks. */
export function standingEnvironment(scope: {
  readonly types: AdmissionTypes;
  readonly seesObject: boolean;
  readonly hasVariables: boolean;
}): AdmissionEnvironment {
  return environmentOf(scope.types, [
    { name: "namespaceObject", type: NAMESPACE_TYPE },
    ...(scope.seesObject ? [{ name: "object", type: DYN }] : []),
    ...(scope.hasVariables ? [{ name: "variables", type: VARIABLES_TYPE }] : []),
  ]);
}

function requestVariables(objectType: CelType): Variable[] {
  return [
    { name: "object", type: objectType },
    { name: "oldObject", type: objectType },
    { name: "namespaceObject", type: NAMESPACE_TYPE },
    { name: "request", type: REQUEST_TYPE },
  ];
}

function environmentOf(
  types: AdmissionTypes,
  variables: readonly Variable[],
  known?: Interned<CompiledExpression>,
  libraries: readonly Library[] = admissionLibraries,
): AdmissionEnvironment {
  const environment = new CelEnvironment({
    libraries,
    variables,
    types,
    optionalSyntax: true,
    // Mixed lists are refused by checkLiterals, which knows the exceptions.
    homogeneousLiterals: false,
    crossTypeNumericComparisons: true,
  });
  return {
    compile(source, text, resultTypes, observe) {
      if (observe !== undefined) return compileIn(environment, source, text, resultTypes, observe);
      const key = JSON.stringify([source, text, resultTypes?.map(String)]);
      const found = known?.get(key);
      if (found !== undefined) return found;
      const compiled = compileIn(environment, source, text, resultTypes);
      if (!("problem" in compiled) && compiled.isShared) known?.add(key, compiled);
      return compiled;
    },
  };
}

function compileIn(
  environment: CelEnvironment,
  source: string,
  text: string,
  resultTypes: readonly CelType[] | undefined,
  observe?: ObserveExpression,
): CompiledExpression | { readonly problem: ExpressionProblem } {
  try {
    const parsed = environment.parse(text);
    const checked = check(parsed, environment);
    checkLiterals(checked, environment);
    if (resultTypes !== undefined && !resultTypes.some((type) => sameType(type, checked.type)))
      return { problem: wrongType(resultTypes, checked.type) };
    const observer = observe?.(checked);
    const program = compile(checked, environment, observer);
    const compiled = expressionOf(source, checked.type, program, isOfRequestOnly(parsed, checked.type));
    return observer === undefined ? compiled : observed(compiled, observer);
  } catch (error) {
    if (error instanceof CelCompileError) return { problem: compileProblem(error) };
    // The parser bounds the depth, but the caller may have used up most of the stack.
    if (error instanceof RangeError) return { problem: compileProblem(tooDeep()) };
    if (!(error instanceof CelError)) throw error;
    const detail = `program instantiation failed: ${error.message}`;
    return { problem: { message: error.message, detail, isInternal: true, issues: detail } };
  }
}

function expressionOf(
  source: string,
  resultType: CelType,
  program: Program,
  isShared: boolean,
): CompiledExpression {
  return {
    source,
    resultType,
    isShared,
    program,
    evaluate: (activation, isLate) => {
      const options = isLate === undefined ? untimed : { costLimit: PER_CALL_COST_LIMIT, isLate };
      const outcome = guarded(program, activation, options);
      if (outcome.error instanceof CelPending) throw outcome.error;
      return outcome;
    },
    valueIn: (frame, isLate) => {
      frame.restart(program.slotCount, isLate);
      const value = guardedValue(program, frame);
      if (value === undefined && frame.failure instanceof CelPending) throw frame.failure;
      return value;
    },
  };
}

/** Evaluated whenever it is asked for, so that the observer is told each time. */
function observed(expression: CompiledExpression, observer: Observer): CompiledExpression {
  return {
    ...expression,
    isShared: false,
    evaluate: (activation, isLate) => {
      observer.begin();
      return expression.evaluate(activation, isLate);
    },
  };
}

const untimed: ProgramOptions = { costLimit: PER_CALL_COST_LIMIT };

/** A mistake in the evaluator must not become one of the request's handling: it is an error of the expression. */
function guarded(program: Program, activation: Activation, options: ProgramOptions): Outcome {
  try {
    return program.tryEvaluate(activation, options);
  } catch (cause) {
    return { kind: "error", error: internalError(cause), cost: PER_CALL_COST_LIMIT };
  }
}

function guardedValue(program: Program, frame: Frame): CelValue | undefined {
  try {
    return program.valueIn(frame);
  } catch (cause) {
    frame.failure = internalError(cause);
    frame.cost = PER_CALL_COST_LIMIT;
    return undefined;
  }
}

function internalError(cause: unknown): CelError {
  return new CelError(`internal error: ${cause instanceof Error ? cause.message : String(cause)}`);
}

function tooDeep(): CelCompileError {
  return new CelCompileError([{ line: -1, column: -1, message: "expression nested too deeply" }]);
}

function wrongType(wanted: readonly CelType[], found: CelType): ExpressionProblem {
  const [only] = wanted;
  const names = wanted.length === 1 ? String(only) : `one of [${wanted.join(" ")}]`;
  const detail = `must evaluate to ${names} but got ${found}`;
  return { message: detail, detail, isInternal: false, issues: detail };
}

function compileProblem(error: CelCompileError): ExpressionProblem {
  const lines = error.issues.map(
    ({ line, column, message }: CelIssue) => `line ${line}, column ${column + 1}: ${message}`,
  );
  const detail = `compilation failed: ${error.message}`;
  return { message: lines.join("; "), detail, isInternal: false, issues: error.message };
}
