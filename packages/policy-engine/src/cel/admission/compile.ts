/**
 * Compiles the rules of a policy, refusing what the API server refuses of a ValidatingAdmissionPolicy
 * (pkg/apis/admissionregistration/validation/validation.go and apiserver pkg/admission/plugin/cel/compile.go).
 */
import type { CheckedAst, Observer } from "../index.ts";
import { JSON_PATCH_TYPE, OBJECT_TYPE } from "../kubernetes/patch-types.ts";
import { BOOL, type CelType, DYN, listType, NULL, STRING, structType } from "../types.ts";
import { type AdmissionEnvironment, admissionEnvironment } from "./environment.ts";
import { CelRulesError, type RuleProblem } from "./errors.ts";
import type {
  CompiledAuditAnnotation,
  CompiledParts,
  CompiledValidation,
  EvaluateOptions,
} from "./evaluate.ts";
import { evaluateParts } from "./evaluate.ts";
import type { CompiledExpression } from "./expression.ts";
import type { NamedExpression } from "./expression-group.ts";
import { trimGoSpace } from "./message.ts";
import type { CompiledCelMutations, CompiledMutation } from "./mutations.ts";
import type { CelOutcome } from "./outcome.ts";
import type { CelQuestion } from "./question.ts";
import { type QuickRule, quickRuleOf } from "./quick-rule.ts";
import { acceptedReasons, isAcceptedReason } from "./reasons.ts";
import type { CelRulesSpec, MutationSpec, ValidationSpec } from "./spec.ts";
import { AdmissionTypes, variableType } from "./variables.ts";

export interface CompiledCelRules {
  /**
   * What the rules say about a request. Never throws for what is in the question. An outcome with pending checks decides
   * nothing: look them up, and ask again with an authorizer that knows them.
   */
  evaluate(question: CelQuestion, options?: EvaluateOptions): CelOutcome;
  /** Asked by `QuickRules`, it tells sooner that there is nothing to say. */
  readonly quick: QuickRule | undefined;
}

/** Gives each expression, known by its field (`spec.validations[0].expression`), somebody who is told of it. */
export type ObserveRules = (path: string, checked: CheckedAst) => Observer;

/** @throws CelRulesError naming every field that is wrong. */
export function compileCelRules(spec: CelRulesSpec, observe?: ObserveRules): CompiledCelRules {
  const parts = new RulesCompiler(spec, observe).compile();
  return {
    evaluate: (question, options = {}) => evaluateParts(parts, question, options),
    quick: quickRuleOf(parts),
  };
}

/**
 * The mutations of a policy, and what they share with its validations.
 *
 * @throws CelRulesError naming every field that is wrong.
 */
export function compileCelMutations(spec: CelRulesSpec): CompiledCelMutations {
  return new RulesCompiler(spec).compileMutations();
}

const mutationTypes = {
  ApplyConfiguration: [structType(OBJECT_TYPE)],
  JSONPatch: [listType(structType(JSON_PATCH_TYPE))],
} as const;

const identifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reservedIdentifiers = new Set([
  ...["true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"],
  ...["import", "let", "loop", "package", "namespace", "return", "var", "void", "while"],
]);

/** Fields that see different variables. */
type FieldScope = "condition" | "rule" | "message" | "mutation";

class RulesCompiler {
  readonly #spec: CelRulesSpec;
  readonly #observe: ObserveRules | undefined;
  readonly #problems: RuleProblem[] = [];
  readonly #types = new AdmissionTypes();
  readonly #environments = new Map<FieldScope, AdmissionEnvironment>();

  constructor(spec: CelRulesSpec, observe?: ObserveRules) {
    this.#spec = spec;
    this.#observe = observe;
  }

  #environment(scope: FieldScope): AdmissionEnvironment {
    const known = this.#environments.get(scope);
    if (known !== undefined) return known;
    const environment = admissionEnvironment({
      types: this.#types,
      hasParams: this.#spec.paramKind !== undefined,
      hasAuthorizer: scope !== "message",
      // matchConditions know no variables and, as on the server, nor does a policy that declares none.
      hasVariables: scope !== "condition" && (this.#spec.variables?.length ?? 0) > 0,
      hasPatchTypes: scope === "mutation",
    });
    this.#environments.set(scope, environment);
    return environment;
  }

  compile(): CompiledParts {
    const { failurePolicy = "Fail", paramKind, paramRef } = this.#spec;
    const matchConditions = this.#matchConditions();
    const variables = this.#variables();
    const validations = this.#validations();
    const auditAnnotations = this.#auditAnnotations();
    if (this.#problems.length > 0) throw new CelRulesError(this.#problems);
    return {
      failurePolicy,
      hasParamKind: paramKind !== undefined,
      hasParamRef: paramRef !== undefined,
      denyWithoutParams: paramRef?.parameterNotFoundAction === "Deny",
      matchConditions,
      variables,
      validations,
      validationExpressions: validations.map(({ expression }) => expression),
      messageExpressions: validations.map(({ messageExpression }) => messageExpression),
      messageCount: validations.filter(({ messageExpression }) => messageExpression !== undefined).length,
      auditAnnotations,
    };
  }

  compileMutations(): CompiledCelMutations {
    const { paramKind, paramRef } = this.#spec;
    const matchConditions = this.#matchConditions();
    const variables = this.#variables();
    const mutations = (this.#spec.mutations ?? []).flatMap((mutation, index) =>
      this.#mutation(`spec.mutations[${index}]`, mutation),
    );
    if (this.#problems.length > 0) throw new CelRulesError(this.#problems);
    return {
      hasParamKind: paramKind !== undefined,
      hasParamRef: paramRef !== undefined,
      denyWithoutParams: paramRef?.parameterNotFoundAction === "Deny",
      matchConditions,
      variables,
      mutations,
    };
  }

  #mutation(path: string, { patchType, applyConfiguration, jsonPatch }: MutationSpec): CompiledMutation[] {
    const field = patchType === "JSONPatch" ? "jsonPatch" : "applyConfiguration";
    const source = (patchType === "JSONPatch" ? jsonPatch : applyConfiguration)?.expression;
    if (source === undefined) {
      const detail = `must be specified when patchType is ${patchType}`;
      this.#problem(`${path}.${field}`, detail, `Required value: ${detail}`);
      return [];
    }
    const text = trimGoSpace(source);
    const types = mutationTypes[patchType];
    const expression = this.#expression(`${path}.${field}.expression`, source, "mutation", types, text);
    return expression === undefined ? [] : [{ patchType, expression }];
  }

  #matchConditions(): CompiledExpression[] {
    const compiled: CompiledExpression[] = [];
    this.#spec.matchConditions?.forEach(({ expression }, index) => {
      const path = `spec.matchConditions[${index}].expression`;
      const condition = this.#expression(path, expression, "condition", [BOOL], trimGoSpace(expression));
      if (condition !== undefined) compiled.push(condition);
    });
    return compiled;
  }

  #variables(): NamedExpression[] {
    const compiled: NamedExpression[] = [];
    this.#spec.variables?.forEach(({ name, expression }, index) => {
      const path = `spec.variables[${index}]`;
      if (!identifier.test(name) || reservedIdentifiers.has(name))
        this.#invalid(`${path}.name`, name, "must be a valid CEL identifier");
      const value = this.#expression(`${path}.expression`, expression, "rule", undefined);
      // One that does not compile is told once, and not again by those that use it.
      this.#types.declareVariable(name, value === undefined ? DYN : variableType(value.resultType));
      if (value !== undefined) compiled.push({ name, expression: value });
    });
    return compiled;
  }

  #validations(): CompiledValidation[] {
    const { validations = [], auditAnnotations = [] } = this.#spec;
    if (validations.length === 0 && auditAnnotations.length === 0) {
      const detail = "validations or auditAnnotations must contain at least one item";
      this.#problem("spec.validations", detail, `Required value: ${detail}`);
      this.#problem("spec.auditAnnotations", detail, `Required value: ${detail}`);
    }
    return validations.flatMap((validation, index) =>
      this.#validation(`spec.validations[${index}]`, validation),
    );
  }

  #validation(path: string, spec: ValidationSpec): CompiledValidation[] {
    const expression = this.#expression(`${path}.expression`, spec.expression, "rule", [BOOL]);
    const messageExpression = this.#messageExpression(`${path}.messageExpression`, spec.messageExpression);
    this.#checkMessage(`${path}.message`, spec.message);
    const { reason = "Invalid" } = spec;
    if (!isAcceptedReason(reason)) {
      const supported = acceptedReasons.map((accepted) => JSON.stringify(accepted)).join(", ");
      const detail = `Unsupported value: ${JSON.stringify(reason)}: supported values: ${supported}`;
      this.#problem(`${path}.reason`, detail, detail);
      return [];
    }
    return expression === undefined ? [] : [{ spec, reason, expression, messageExpression }];
  }

  #messageExpression(path: string, expression: string | undefined): CompiledExpression | undefined {
    if (expression === undefined || expression === "") return undefined;
    if (trimGoSpace(expression) !== "") return this.#expression(path, expression, "message", [STRING]);
    this.#invalid(path, expression, "must be non-empty if specified");
    return undefined;
  }

  #checkMessage(path: string, message: string | undefined): void {
    if (message === undefined || message === "") return;
    const trimmed = trimGoSpace(message);
    if (trimmed === "") this.#invalid(path, message, "must be non-empty if specified");
    else if (/[\n\r]/.test(trimmed)) this.#invalid(path, message, "must not contain line breaks");
  }

  #auditAnnotations(): CompiledAuditAnnotation[] {
    const keys = new Set<string>();
    const compiled: CompiledAuditAnnotation[] = [];
    this.#spec.auditAnnotations?.forEach(({ key, valueExpression }, index) => {
      const path = `spec.auditAnnotations[${index}]`;
      const expression = this.#expression(
        `${path}.valueExpression`,
        valueExpression,
        "rule",
        [STRING, NULL],
        trimGoSpace(valueExpression),
      );
      if (keys.has(key)) {
        const detail = `Duplicate value: ${JSON.stringify(key)}`;
        this.#problem(`${path}.key`, detail, detail);
      }
      keys.add(key);
      if (expression !== undefined) compiled.push({ key, expression });
    });
    return compiled;
  }

  /**
   * Compiles `text`, which is the expression as the server reads it there. `resultTypes` are those it may have, all
   * when undefined.
   */
  #expression(
    path: string,
    source: string,
    scope: FieldScope,
    resultTypes: readonly CelType[] | undefined,
    text = source,
  ): CompiledExpression | undefined {
    if (trimGoSpace(source) === "") {
      this.#problem(path, "write an expression", "Required value: expression is not specified");
      return undefined;
    }
    const observe = this.#observe;
    const compiled = this.#environment(scope).compile(
      source,
      text,
      resultTypes,
      observe && ((checked) => observe(path, checked)),
    );
    if (!("problem" in compiled)) return compiled;
    const { message, detail, isInternal } = compiled.problem;
    if (isInternal) this.#problem(path, message, `Internal error: ${detail}`);
    else this.#invalid(path, source, detail, message);
    return undefined;
  }

  #invalid(path: string, value: string, detail: string, message = detail): void {
    this.#problem(path, message, `Invalid value: ${JSON.stringify(value)}: ${detail}`);
  }

  #problem(path: string, message: string, detail: string): void {
    this.#problems.push({ path, message, detail });
  }
}
