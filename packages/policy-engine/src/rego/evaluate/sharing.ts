/** Values of rules that policies have in common, each found out once and charged to whoever asks. */
import type { RegoValue } from "../values.ts";
import type { CompiledFunction } from "./function.ts";

/** What a rule came to, as another policy with the same rule needs it. */
export interface RuleValue {
  readonly value: RegoValue | undefined;
  /** Units of work, without that of rules it asked for. */
  readonly work: number;
  /** Rules it asked for, as positions in `Sharing.reach`. */
  readonly asked: readonly number[];
}

/** Stands for all rules that come to the same for the same input: one object whatever the policy. */
export class SharedRule {
  /** Most rules are one policy's, and asked for once a request: keeping what they come to would be for nothing. */
  #isCommon = false;
  #lastAskedFor: number | undefined;

  /** To be asked whenever its value is wanted: whether it is, or was ever, wanted twice for one request. */
  isCommonFor({ id }: SharedResults): boolean {
    this.#isCommon ||= this.#lastAskedFor === id;
    this.#lastAskedFor = id;
    return this.#isCommon;
  }
}

/** What is known of a rule whose value depends on nothing but the input. */
export interface Sharing {
  readonly rule: SharedRule;
  /** Rules that it may ask for by itself or through functions, in the order in which they are named. */
  readonly reach: readonly CompiledFunction[];
  /** Calls within calls that evaluating it takes at most, itself included. */
  readonly height: number;
  /** It does not even depend on the input, and calls no built-in. */
  readonly isConstant: boolean;
  /** The members of the input it looks at; undefined where it may look at all. */
  readonly inputKeys: ReadonlySet<string> | undefined;
}

let count = 0;

/** What policies found out about one input, for the policies after them. To be let go of with the request. */
export class SharedResults {
  readonly id = ++count;
  readonly input: RegoValue;
  readonly #varying: readonly string[];
  readonly #known = new Map<SharedRule, RuleValue>();

  /** @param varying members in which the inputs differ that policies are asked about */
  constructor(input: RegoValue, varying: readonly string[] = []) {
    this.input = input;
    this.#varying = varying;
  }

  /** Whether the rule comes to the same for all inputs that are asked about with these results. */
  isFor({ inputKeys }: Sharing, input: RegoValue | undefined): boolean {
    if (input === this.input) return true;
    return inputKeys !== undefined && !this.#varying.some((key) => inputKeys.has(key));
  }

  get(sharing: Sharing, input: RegoValue | undefined): RuleValue | undefined {
    return this.isFor(sharing, input) ? this.#known.get(sharing.rule) : undefined;
  }

  set(rule: SharedRule, value: RuleValue): void {
    this.#known.set(rule, value);
  }
}
