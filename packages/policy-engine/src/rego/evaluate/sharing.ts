/** Values of rules that policies have in common, each found out once and charged to whoever asks. */
import type { RegoValue } from "../values.ts";

/** What a rule came to, for whoever has the same rule. */
export interface RuleValue {
  readonly rule: SharedRule;
  readonly value: RegoValue | undefined;
  /** Units of work, without that of rules it asked for. */
  readonly work: number;
  /** Those of all rules that it asked for, or that they did. */
  readonly others: readonly RuleValue[];
}

/** What is known of a rule whose value depends on nothing but the input. */
export interface SharedTraits {
  /** Calls within calls that evaluating it takes at most, itself included. */
  readonly height: number;
  /** It does not even depend on the input, and calls no built-in. */
  readonly isConstant: boolean;
  /** The members of the input it looks at; undefined where it may look at all. */
  readonly inputKeys: ReadonlySet<string> | undefined;
}

/** Stands for all rules that come to the same for the same input: one object whatever the policy. */
export class SharedRule implements SharedTraits {
  /** Of a rule that comes to the same whatever is asked. */
  lasting: RuleValue | undefined;
  /** The query that was charged for it last, by `Run.serial`. */
  chargedTo: number | undefined;
  /** Place of what it came to among the results of one request. */
  place = 0;
  placedFor: number | undefined;
  readonly height: number;
  readonly isConstant: boolean;
  readonly inputKeys: ReadonlySet<string> | undefined;
  /** Most rules are one policy's, and asked for once a request: keeping what they come to would be for nothing. */
  #isCommon = false;
  #lastAskedFor: number | undefined;

  constructor({ height, isConstant, inputKeys }: SharedTraits) {
    this.height = height;
    this.isConstant = isConstant;
    this.inputKeys = inputKeys;
  }

  /** To be asked whenever its value is wanted: whether it is, or was ever, wanted twice for one request. */
  isCommonFor({ id }: SharedResults): boolean {
    this.#isCommon ||= this.#lastAskedFor === id;
    this.#lastAskedFor = id;
    return this.#isCommon;
  }
}

let count = 0;

/** What policies found out about one input, for the policies after them. To be let go of with the request. */
export class SharedResults {
  readonly id = ++count;
  readonly input: RegoValue;
  readonly #varying: readonly string[];
  readonly #values: RuleValue[] = [];

  /** @param varying members in which the inputs differ that policies are asked about */
  constructor(input: RegoValue, varying: readonly string[] = []) {
    this.input = input;
    this.#varying = varying;
  }

  /** Whether the rule comes to the same for all inputs that are asked about with these results. */
  isFor({ inputKeys }: SharedRule, input: RegoValue | undefined): boolean {
    if (input === this.input) return true;
    return inputKeys !== undefined && !this.#varying.some((key) => inputKeys.has(key));
  }

  /** Undefined also where another request took the rule's place meanwhile: it is found out again then. */
  get({ place, placedFor }: SharedRule): RuleValue | undefined {
    return placedFor === this.id ? this.#values[place] : undefined;
  }

  set(rule: SharedRule, value: RuleValue): void {
    if (rule.placedFor === this.id) {
      this.#values[rule.place] = value;
      return;
    }
    rule.placedFor = this.id;
    rule.place = this.#values.push(value) - 1;
  }
}
