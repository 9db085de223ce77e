/** Values of rules: found out once in a query, and once for all policies that have the rule in common. */
import type { RegoValue } from "../values.ts";
import { asPlain } from "./constants.ts";
import type { CompiledFunction } from "./function.ts";
import { maxCallDepth, noValue, type Run } from "./run.ts";
import type { RuleValue, SharedRule } from "./sharing.ts";

/** A rule depends on nothing but the two documents, so has one value as long as they are the same. */
export function valueOfRule(
  rule: CompiledFunction,
  input: RegoValue | undefined,
  data: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  const { world } = run;
  if (world.input !== input || world.data !== data) return rule.code(run, input, data);
  if (run.asked !== undefined) run.asked.add(rule);
  const known = world.values[rule.index];
  if (known !== undefined) return known === noValue ? undefined : known;
  const { shared } = rule;
  const value =
    shared === undefined || world.outer !== undefined
      ? rule.code(run, input, data)
      : sharedValue(rule, shared, input, data, run);
  world.values[rule.index] = value === undefined ? noValue : value;
  return value;
}

/** The value of a query's own rule, which nobody else is to have kept for them. */
export function valueOfEntry(rule: CompiledFunction, run: Run): RegoValue | undefined {
  const { input, data, values } = run.world;
  const value = rule.code(run, input, data);
  values[rule.index] = value === undefined ? noValue : value;
  // What putting it into an object would be charged.
  if (value !== undefined) run.spend(1);
  return value;
}

/** Whoever takes a value that is known is charged what finding it out would cost. */
function sharedValue(
  rule: CompiledFunction,
  shared: SharedRule,
  input: RegoValue | undefined,
  data: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  const known = knownValue(shared, input, run);
  // Where it might be nested too deep, it is found out whether it is.
  if (known !== undefined && run.depth + shared.height <= maxCallDepth) {
    charge(known, run);
    return known.value;
  }
  shared.chargedTo = run.serial;
  return isWanted(shared, input, run)
    ? foundOut(rule, shared, input, data, run)
    : rule.code(run, input, data);
}

function knownValue(rule: SharedRule, input: RegoValue | undefined, { shared }: Run): RuleValue | undefined {
  if (rule.lasting !== undefined) return rule.lasting;
  return shared?.isFor(rule, input) === true ? shared.get(rule) : undefined;
}

/** A query is charged once for each rule, as finding it out would be. */
function charge(known: RuleValue, run: Run): void {
  let work = workFor(known, run);
  for (const other of known.others) work += workFor(other, run);
  if (run.asked !== undefined) run.askedWork += work;
  run.spend(work);
}

function workFor({ rule, work }: RuleValue, { serial }: Run): number {
  if (rule.chargedTo === serial) return 0;
  rule.chargedTo = serial;
  return work;
}

/** Whether anybody will want to know what the rule comes to, or what it comes to by itself. */
function isWanted(rule: SharedRule, input: RegoValue | undefined, { shared, asked }: Run): boolean {
  if (rule.isConstant || asked !== undefined) return true;
  return shared?.isFor(rule, input) === true && rule.isCommonFor(shared);
}

function foundOut(
  rule: CompiledFunction,
  shared: SharedRule,
  input: RegoValue | undefined,
  data: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  const { asked: outer, askedWork, looks, spent: before } = run;
  const asked = new Set<CompiledFunction>();
  run.asked = asked;
  run.askedWork = 0;
  const value = rule.code(run, input, data);
  const work = run.spent - before;
  const ownWork = work - run.askedWork;
  run.asked = outer;
  run.askedWork = askedWork + work;
  // What a look at time or chance came to is this query's alone.
  const others = run.looks === looks ? valuesOf(asked, input, run) : undefined;
  if (others !== undefined) keep({ rule: shared, value, work: ownWork, others }, run);
  return value;
}

/** Undefined where one is not known: without its work nobody could be charged for the whole. */
function valuesOf(
  asked: ReadonlySet<CompiledFunction>,
  input: RegoValue | undefined,
  run: Run,
): readonly RuleValue[] | undefined {
  const values = new Map<SharedRule, RuleValue>();
  for (const { shared } of asked) {
    const known = shared && knownValue(shared, input, run);
    if (known === undefined) return undefined;
    for (const each of [...known.others, known]) values.set(each.rule, each);
  }
  return values.size === 0 ? none : [...values.values()];
}

const none: readonly RuleValue[] = [];

/** Work up to which a value that never changes is kept with the policy. */
const mostLastingWork = 1_000;

function keep(found: RuleValue, run: Run): void {
  const { rule, value, work, others } = found;
  if (rule.isConstant && others.length === 0 && work <= mostLastingWork)
    rule.lasting = { ...found, value: asPlain(value) };
  else run.shared?.set(rule, found);
}
