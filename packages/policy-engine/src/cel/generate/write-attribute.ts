import type { Node, Raw, Write } from "../frame.ts";
import { isInheritable } from "./source-writer.ts";

/** A variable, with what reading it costs. */
export function writeVariable({ write, cost }: Raw): Write {
  return (to) => {
    if (cost > 0) to.line(`f.cost+=${cost};`);
    return write(to);
  };
}

/**
 * Fields of a variable, one after the other, where all that is passed is an object as JSON.parse makes it and has them;
 * anything else is left to the closure. Such an object's constructor is `Object`, inherited, unless it has a field of
 * that name; and a field that no prototype has is its own or undefined.
 *
 * @param isTest the last name is only looked for: `has()`
 */
export function writeFields(
  root: Raw,
  names: readonly string[],
  isTest: boolean,
  run: Node["run"],
): Write | undefined {
  const last = names[names.length - 1];
  if (last === undefined || names.some(isInheritable)) return undefined;
  return (to) => {
    const object = to.bind(Object);
    const [value, at] = [to.temporary(), to.temporary()];
    const isPlain = `!=null&&${at}.constructor===${object}`;
    to.line(`f.cost+=${root.cost};`);
    const steps = [`(${at}=${root.write(to)})${isPlain}`];
    for (const name of names.slice(0, -1)) steps.push(`(${at}=${to.field(at, name)})${isPlain}`);
    if (!isTest) steps.push(`(${at}=${to.field(at, last)})!==undefined`);
    const found = isTest ? `${to.field(at, last)}!==undefined` : at;
    to.line(`if(${steps.join("&&")}){f.cost+=${names.length};${value}=${found};}`);
    // The closure counts all of it.
    to.line(`else{f.cost-=${root.cost};${value}=${to.bind(run)}(f);}`);
    return value;
  };
}
