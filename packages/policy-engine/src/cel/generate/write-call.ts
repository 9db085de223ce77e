import { OPERATOR } from "../ast.ts";
import { codePointLength } from "../code-points.ts";
import type { Call } from "../dispatch.ts";
import type { Frame, Node, Write } from "../frame.ts";
import { afterFirst } from "../rescue.ts";
import { traversalCost } from "../size.ts";
import type { CelValue } from "../values.ts";
import { workOf } from "../work.ts";
import type { SourceWriter } from "./source-writer.ts";

/**
 * Operands of `==` and of calls that cost the same whatever the values: the cost is counted, then they are evaluated.
 * What is compared with a constant of its own type, a text, an int or a bool, is compared here.
 */
export function writeEquality(
  left: Node,
  right: Node,
  equal: (f: Frame, a: CelValue, b: CelValue) => boolean,
  isEquals: boolean,
): Write {
  return (to) => {
    to.line("f.cost+=1;");
    const [a, b] = writeBoth(to, left, right);
    const value = to.temporary();
    const { constant } = right;
    const type = typeof constant;
    const sign = isEquals ? "===" : "!==";
    if (typeof constant === "string") {
      const length = to.parameter(codePointLength(constant));
      to.line(`if(typeof ${a}==="string"){f.cost+=${to.bind(textEqualityCost)}(f,${a},${length})-1;`);
      to.line(`${value}=${a}${sign}${b};}else `);
    } else if (type === "boolean" || type === "number") {
      to.line(`if(typeof ${a}==="${type}"){f.spend(1);${value}=${a}${sign}${b};}else `);
    }
    to.line(`${value}=${to.bind(equal)}(f,${a},${b});`);
    return value;
  };
}

/** Counts the work of comparing a text with one of so many code points. Returns the cost: that of reading the shorter. */
function textEqualityCost(frame: Frame, text: string, length: number): number {
  const units = text.length;
  frame.spend(1 + units / 64);
  if (units === 0) return 0;
  // A code point is one or two units.
  const shorter = units <= SHORT || units >= 2 * length ? Math.min(units, length) : codePointLength(text);
  return traversalCost(Math.min(shorter, length));
}

/** Up to here all lengths cost the same. */
const SHORT = 10;

function writeBoth(to: SourceWriter, left: Node, right: Node): [string, string] {
  const a = to.valueOrElse(left, () => to.line(`throw ${to.bind(afterFirst)}(x,${to.bind(right.run)},f);`));
  return [a, to.value(right)];
}

const comparisons: ReadonlyMap<string, string> = new Map([
  [OPERATOR.less, "<"],
  [OPERATOR.lessEquals, "<="],
  [OPERATOR.greater, ">"],
  [OPERATOR.greaterEquals, ">="],
]);

function isSmallInt(name: string, { constant }: Node): string {
  const test = `typeof ${name}==="number"&&(${name}|0)===${name}`;
  if (constant === undefined) return test;
  return typeof constant === "number" && (constant | 0) === constant ? "true" : "false";
}

/** A call that evaluates all of one or two operands and costs the same whatever they are. */
export function writeFixedCall(name: string, call: Call, nodes: readonly Node[]): Write | undefined {
  const { fixedCost } = call;
  const [first, second] = nodes;
  if (fixedCost === undefined || !call.isEager || first === undefined || nodes.length > 2) return undefined;
  return (to) => {
    const value = to.temporary();
    to.line(`f.cost+=${fixedCost};`);
    if (second === undefined) {
      const a = to.value(first);
      const direct = name === OPERATOR.not ? `typeof ${a}==="boolean"?!${a}:` : "";
      to.line(`${value}=${direct}${to.bind(call.unary)}(${a});`);
      return value;
    }
    const [a, b] = writeBoth(to, first, second);
    const sign = comparisons.get(name);
    // Ints of 32 bits are compared here; anything else may be text, a time, or have no order.
    const direct =
      sign === undefined ? "" : `${isSmallInt(a, first)}&&${isSmallInt(b, second)}?${a}${sign}${b}:`;
    to.line(`${value}=${direct}${to.bind(call.binary)}(${a},${b});`);
    return value;
  };
}

/** A call of one or two operands that is paid for when it was made, by what they are. */
export function writeCostedCall(name: string, call: Call, nodes: readonly Node[]): Write | undefined {
  const [first, second] = nodes;
  if (call.isCostAhead || !call.isEager || first === undefined || nodes.length > 2) return undefined;
  const invoke = paid(call);
  return (to) => {
    const value = to.temporary();
    const failed = "f.cost+=1;";
    if (second === undefined) {
      const a = to.valueOrElse(first, () => to.line(`${failed}throw x;`));
      to.line(`${value}=${to.bind(invoke)}(f,${a});`);
      return value;
    }
    const a = to.valueOrElse(first, () =>
      to.line(`${failed}throw ${to.bind(afterFirst)}(x,${to.bind(second.run)},f);`),
    );
    const b = to.valueOrElse(second, () => to.line(`${failed}throw x;`));
    const made = `${value}=${to.bind(invoke)}(f,${a},${b});`;
    const { constant } = second;
    if (!endTests.has(name) || typeof constant !== "string") {
      to.line(made);
      return value;
    }
    const [work, cost] = [to.parameter(workOf(constant)), to.parameter(call.cost(["", constant], false))];
    to.line(`if(typeof ${a}==="string"){f.spend(${work});${value}=${a}.${name}(${b});`);
    to.line(`f.cost+=${cost};f.checkCost();}else ${made}`);
    return value;
  };
}

/** Tests of a text, called as JavaScript calls them, that cost by the length of the argument alone. */
const endTests: ReadonlySet<string> = new Set(["startsWith", "endsWith"]);

function paid({ invoke, cost, fixedCost }: Call): (frame: Frame, ...args: CelValue[]) => CelValue {
  return (frame, ...args) => {
    let result: CelValue = null;
    try {
      result = invoke(args);
    } finally {
      frame.cost += fixedCost ?? cost(args, result);
    }
    frame.checkCost();
    return result;
  };
}

/** `in` a list of constants. */
export function writeIn(element: Node, isListed: (value: CelValue) => boolean): Write {
  return (to) => {
    const value = to.temporary();
    to.line(`${value}=${to.bind(isListed)}(${to.value(element)});`);
    return value;
  };
}
