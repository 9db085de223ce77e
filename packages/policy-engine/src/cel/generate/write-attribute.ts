import { isInheritable } from "../../generate/code-writer.ts";
import type { Node, Raw, Write } from "../frame.ts";
import { CelRecord } from "../values.ts";

/** A variable, with what reading it costs. */
export function writeVariable({ write, cost }: Raw): Write {
  return (to) => {
    const value = write(to);
    if (cost > 0) to.line(`f.cost+=${cost};`);
    return value;
  };
}

/**
 * Fields of a variable, one after the other, where all that is passed is an object as JSON.parse makes it and has them;
 * anything else is left to the closure. Such an object's constructor is `Object`, inherited, unless it has a field of
 * that name; and a field that no prototype has is its own or undefined. What was read is kept: `has(c.x) && c.x.y == 1`
 * reads `c.x` once.
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
    const value = to.temporary();
    const start = root.write(to);
    const kept = (what: string, length: number) =>
      to.kept(start, JSON.stringify([what, ...names.slice(0, length)]));
    /** The first so many names lead to a plain object, which is then in `kept("plain", length)`. */
    const isPlain = (length: number): string => {
      const [plain, read] = [kept("plain", length), length === 0 ? start : kept("value", length)];
      const isThere = length === 0 ? `${read}!==null` : `${isRead(length)}&&${read}!==null`;
      return `(${plain}!==undefined||${isThere}&&${read}.constructor===${object}&&((${plain}=${read}),true))`;
    };
    const isRead = (length: number): string => {
      const [read, from] = [kept("value", length), kept("plain", length - 1)];
      return `(${read}!==undefined||(${read}=${to.field(from, names[length - 1] ?? "")})!==undefined)`;
    };
    const steps = names.map((_, length) => isPlain(length));
    const cost = root.cost + names.length;
    if (isTest) to.line(`if(${steps.join("&&")}){f.cost+=${cost};${value}=${isRead(names.length)};}`);
    else {
      steps.push(isRead(names.length));
      to.line(`if(${steps.join("&&")}){f.cost+=${cost};${value}=${kept("value", names.length)};}`);
    }
    if (root.isRecord === true && names.length === 1 && !isTest) {
      to.line(`else if(${start} instanceof ${to.bind(CelRecord)}){f.cost+=${cost};`);
      to.line(`if((${value}=${start}.field(${to.bind(last)}))===undefined)`);
      to.line(`{f.cost-=${cost};${value}=${to.bind(run)}(f);}}`);
    }
    to.line(`else ${value}=${to.bind(run)}(f);`);
    return value;
  };
}
