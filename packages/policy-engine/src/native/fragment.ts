/**
 * One policy's part of an admission policy that several share. Taken from the policy as it is rendered alone, so that
 * there is one place which says what a policy comes to.
 */
import { createHash } from "node:crypto";
import { compileCelRules } from "../cel/admission/compile.ts";
import { CelRulesError } from "../cel/admission/errors.ts";
import { MAX_EXPRESSION_LENGTH, MAX_NESTING } from "../cel/parser.ts";
import { namesVariable, parseCel, renameFields } from "./cel-source.ts";
import { celAll, celString, closed } from "./cel-text.ts";
import { type Head, headOf, sharedConditions } from "./head.ts";
import type { RenderedMetadata, RenderedPolicy, RenderedValidatingAdmissionPolicy } from "./render.ts";
import { GROUP_BUDGET, weightOf } from "./weight.ts";

type Spec = RenderedValidatingAdmissionPolicy["spec"];
type Variable = NonNullable<Spec["variables"]>[number];
type Validation = NonNullable<Spec["validations"]>[number];
type Owner = NonNullable<RenderedMetadata["ownerReferences"]>[number];

export interface WeighedVariable extends Variable {
  /** See `weightOf`. */
  readonly weight: number;
}

export interface Fragment {
  readonly policy: string;
  readonly owner: Owner | undefined;
  /** What all policies that share an admission policy have in common. */
  readonly head: Head;
  /** Named by what they say, so that policies which say the same share them, too. */
  readonly variables: readonly WeighedVariable[];
  readonly validations: readonly Validation[];
  /** Of the validations and their messages, without the variables. */
  readonly weight: number;
  /** Of everything above but `owner`: another for whatever is another policy to the API server. */
  readonly digest: string;
}

/** Why a policy has an admission policy of its own. */
export interface Alone {
  readonly alone: string;
}

/** What the text of one policy may come to. */
const MAX_TEXT = 100_000;
/** A policy that takes more than half of a budget leaves too little to share. */
const MAX_WEIGHT = GROUP_BUDGET / 2;

/** The policy's part of a shared admission policy, or why it cannot have one and mean the same. */
export function fragmentOf(rendered: RenderedPolicy, weigh = weightOf): Fragment | Alone {
  try {
    return new FragmentWriter(rendered, weigh).write();
  } catch (error) {
    if (error instanceof StaysAlone) return { alone: error.message };
    throw error;
  }
}

class StaysAlone extends Error {}

class FragmentWriter {
  readonly #policy: RenderedPolicy["policy"];
  readonly #binding: RenderedPolicy["binding"];
  readonly #spec: Spec;
  readonly #name: string;
  readonly #weigh: typeof weightOf;
  readonly #variables = new Map<string, WeighedVariable>();
  /** The shared name of each variable by its own. */
  readonly #names = new Map<string, string>();

  constructor({ policy, binding, of }: RenderedPolicy, weigh: typeof weightOf) {
    this.#weigh = weigh;
    this.#policy = policy;
    this.#binding = binding;
    this.#spec = policy.spec;
    this.#name = of;
  }

  write(): Fragment {
    this.#checkKind();
    this.#checkRules();
    const guard = this.#guard();
    for (const { name, expression } of this.#spec.variables ?? []) {
      this.#names.set(name, this.#declare(name, this.#renamed(expression)));
    }
    const validations = (this.#spec.validations ?? []).map((validation) => this.#guarded(validation, guard));
    const weight = this.#weightOf(validations);
    const variables = [...this.#variables.values()];
    const head = headOf(this.#policy, this.#binding);
    const text = JSON.stringify([head.key, variables, validations]);
    if (text.length > MAX_TEXT) throw new StaysAlone("it is too long");
    return {
      policy: this.#name,
      owner: this.#policy.metadata.ownerReferences?.[0],
      head,
      variables,
      validations,
      weight,
      digest: digestOf(text),
    };
  }

  #checkKind(): void {
    const { auditAnnotations = [], validations = [], failurePolicy, paramKind } = this.#spec;
    if (auditAnnotations.length > 0)
      throw new StaysAlone("audit annotations are named after the admission policy");
    if (validations.length === 0) throw new StaysAlone("it has no validations");
    if (paramKind !== undefined)
      throw new StaysAlone("what is wrong with parameters is told by the name of the admission policy alone");
    const denies = this.#binding.spec.validationActions.includes("Deny");
    if (!denies && failurePolicy === "Fail" && this.#conditions().length > 0 && validations.length > 1)
      throw new StaysAlone("a condition that fails would be told once for each validation");
  }

  /** What the engine here would refuse may be fine for a newer API server, and must not be mixed with others'. */
  #checkRules(): void {
    const { failurePolicy, matchConditions, variables, validations } = this.#spec;
    try {
      compileCelRules({ failurePolicy, matchConditions, variables, validations });
    } catch (error) {
      if (error instanceof CelRulesError) throw new StaysAlone("an expression does not compile");
      throw error;
    }
  }

  #conditions(): readonly string[] {
    return this.#spec.matchConditions
      .filter(({ name }) => !sharedConditions.includes(name))
      .map(({ expression }) => expression);
  }

  /**
   * The policy's own matchConditions as one variable. `&&` is to errors what matchConditions are: one that is false
   * settles it, else one that fails does (apiserver plugin/webhook/matchconditions/matcher.go).
   */
  #guard(): string | undefined {
    const conditions = this.#conditions().map((expression) => this.#asVariable(expression));
    if (conditions.length === 0) return undefined;
    return `variables.${this.#declare("applies", celAll(conditions.map(closed)))}`;
  }

  /**
   * A matchCondition with what its variables mean in a variable: there, `namespaceObject` is null and `request.resource`
   * is what was asked for, even where the rules name an equivalent one.
   */
  #asVariable(expression: string): string {
    const expr = this.#parsed(expression);
    if (namesVariable(expr, "namespaceObject"))
      throw new StaysAlone("namespaceObject is null in matchConditions and nowhere else");
    const rename = (field: string) => (field === "resource" ? "requestResource" : field);
    const renamed = renameFields(expression, expr, "request", rename);
    if (renamed === undefined) throw new StaysAlone("a matchCondition uses request as a whole");
    return renamed;
  }

  #renamed(expression: string): string {
    const renamed = renameFields(expression, this.#parsed(expression), "variables", (field) =>
      this.#names.get(field),
    );
    if (renamed === undefined) throw new StaysAlone("variables are used in a way that hides which");
    return renamed;
  }

  /** Declares a variable under a name made of what it says; the same one again is the same variable. */
  #declare(name: string, expression: string): string {
    const isPlain = !name.includes("__") && !/^_|_$/.test(name) && name.length <= 40;
    const shared = `${isPlain ? name : "v"}_${digestOf(expression)}`;
    const weight = this.#bounded(expression);
    this.#variables.set(shared, { name: shared, expression, weight });
    return shared;
  }

  /**
   * Passes where the policy does not apply, and fails where that cannot be told. What is always true in front names the
   * policy where the API server quotes the expression: it does for one that fails.
   */
  #guarded(validation: Validation, guard: string | undefined): Validation {
    const own = closed(this.#renamed(validation.expression));
    const rule = guard === undefined ? own : `${guard} ? (${own}) : true`;
    const expression = `${celString(`ShieldPolicy ${this.#name}`)} != '' && (${rule})`;
    const { messageExpression } = validation;
    return {
      ...validation,
      expression,
      ...(messageExpression === undefined ? {} : { messageExpression: this.#renamed(messageExpression) }),
    };
  }

  #weightOf(validations: readonly Validation[]): number {
    const rules = validations.map(({ expression }) => this.#bounded(expression));
    // Messages are computed for every request that matches, and variables anew for them.
    const messages = validations.flatMap(({ messageExpression }) =>
      messageExpression === undefined ? [] : [this.#bounded(messageExpression)],
    );
    const variables = [...this.#variables.values()].map(({ weight }) => weight);
    const weight = sum(rules) + sum(messages) + (messages.length > 0 ? sum(variables) : 0);
    if (weight + sum(variables) > MAX_WEIGHT) throw new StaysAlone("it may need most of a cost budget");
    return weight;
  }

  #bounded(expression: string): number {
    const weight = this.#weigh(this.#parsed(expression), this.#spec.failurePolicy);
    if (weight === undefined) throw new StaysAlone("no bound of what it costs is known");
    return weight;
  }

  #parsed(expression: string) {
    const expr = parseCel(expression);
    if (expr === undefined)
      throw new StaysAlone(
        `an expression is longer than ${MAX_EXPRESSION_LENGTH} or nested deeper than ${MAX_NESTING} with what is around it`,
      );
    return expr;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
