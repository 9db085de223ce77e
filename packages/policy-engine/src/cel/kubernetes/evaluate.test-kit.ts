import { CelEnvironment } from "../environment.ts";
import { CelError } from "../errors.ts";
import { bindings } from "../frame.ts";
import { evaluateBothWays } from "../generate/both-ways.test-kit.ts";
import { compile } from "../program.ts";
import { DYN } from "../types.ts";
import { CelOptional, type CelValue } from "../values.ts";
import { kubernetesLibraries } from "./libraries.ts";
import { patchLibrary } from "./patch-types.ts";
import { celToJson } from "./patch-values.ts";

type Variables = Readonly<Record<string, CelValue>>;

function run(expression: string, variables: Variables) {
  const environment = new CelEnvironment({
    libraries: [...kubernetesLibraries, patchLibrary],
    variables: Object.keys(variables).map((name) => ({ name, type: DYN })),
  });
  const parsed = environment.parse(expression);
  const outcome = evaluateBothWays(() => compile(parsed, environment), bindings(variables));
  if (outcome.kind === "error") throw outcome.error;
  return outcome;
}

/** The value of an expression with Kubernetes' libraries. */
export function evaluate(expression: string, variables: Variables = {}): CelValue {
  return run(expression, variables).value;
}

/** The value as JSON; what is in an optional, or undefined for none. */
export function evaluateToJson(expression: string, variables: Variables = {}): unknown {
  const value = evaluate(expression, variables);
  if (!(value instanceof CelOptional)) return celToJson(value);
  return value.value === undefined ? undefined : celToJson(value.value);
}

/** What an evaluation costs, in cel-go's units. */
export function costOf(expression: string, variables: Variables = {}): number {
  return run(expression, variables).cost;
}

/** The text of the error that an expression ends with. */
export function errorOf(expression: string, variables: Variables = {}): string {
  try {
    evaluate(expression, variables);
  } catch (error) {
    if (error instanceof CelError) return error.message;
    throw error;
  }
  throw new Error(`${expression} has a value`);
}
