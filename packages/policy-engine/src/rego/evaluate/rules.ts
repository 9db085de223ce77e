/** Values of rules: found out once in a query, and once for all policies that have the rule in common. */
import type { RegoValue } from "../values.ts";
import type { CompiledFunction } from "./function.ts";
import { maxCallDepth, noValue, type Run } from "./run.ts";
import type { RuleValue, Sharing } from "./sharing.ts";

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
  const { sharing } = rule;
  const value =
    sharing === undefined || world.outer !== undefined
      ? rule.code(run, input, data)
      : sharedValue(rule, sharing, input, data, run);
  world.values[rule.index] = value === undefined ? noValue : value;
  return value;
}

/** Work up to which a value that never changes is kept with the policy. */
const mostLastingWork = 1_000;

/** Whoever takes a value that is known is charged what finding it out would cost. */
function sharedValue(
  rule: CompiledFunction,
  sharing: Sharing,
  input: RegoValue | undefined,
  data: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  const known = sharing.isConstant ? rule.lasting : run.shared?.get(sharing, input);
  // Where it might be nested too deep, it is found out whether it is.
  if (known === undefined || run.depth + sharing.height > maxCallDepth)
    return isWanted(sharing, input, run)
      ? foundOut(rule, sharing, input, data, run)
      : rule.code(run, input, data);
  const before = run.spent;
  run.spend(known.work);
  for (const at of known.asked) {
    const callee = sharing.reach[at];
    if (callee !== undefined) valueOfRule(callee, input, data, run);
  }
  if (run.asked !== undefined) run.askedWork += run.spent - before;
  return known.value;
}

/** Whether anybody will want to know what the rule comes to, or what it comes to by itself. */
function isWanted(sharing: Sharing, input: RegoValue | undefined, { shared, asked }: Run): boolean {
  if (sharing.isConstant || asked !== undefined) return true;
  return shared?.isFor(sharing, input) === true && sharing.rule.isCommonFor(shared);
}

function foundOut(
  rule: CompiledFunction,
  sharing: Sharing,
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
  if (run.looks === looks) keep(rule, sharing, { value, work: ownWork, asked: positions(asked, sharing) }, run);
  return value;
}

function keep(rule: CompiledFunction, { isConstant, rule: key }: Sharing, found: RuleValue, run: Run): void {
  if (!isConstant) run.shared?.set(key, found);
  else if (found.work <= mostLastingWork) rule.lasting = found;
}

function positions(asked: ReadonlySet<CompiledFunction>, { reach }: Sharing): number[] {
  return reach.flatMap((callee, at) => (asked.has(callee) ? [at] : []));
}
