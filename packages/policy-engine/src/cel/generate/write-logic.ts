import { CelError } from "../errors.ts";
import type { Node, Write } from "../frame.ts";
import { noOverload, rescue } from "../rescue.ts";

/** `&&` and `||`. `decisive` is the value of either side that settles the result. */
export function writeLogic(left: Node, right: Node, decisive: boolean): Write {
  return (to) => {
    const [value, block] = [to.temporary(), to.label()];
    const rescued = (error: string) =>
      `{${value}=${to.bind(rescue)}(${to.bind(right.run)},f,${decisive},${error});break ${block};}`;
    to.line(`${block}:{`);
    const first = to.valueOrElse(left, () => to.line(rescued("x")));
    to.line(`if(${first}===${decisive}){${value}=${decisive};break ${block};}`);
    to.line(`if(typeof ${first}!=="boolean")${rescued(`${to.bind(noOverload)}()`)}`);
    to.line(`${value}=${to.value(right)};`);
    to.line(`if(typeof ${value}!=="boolean")throw ${to.bind(noOverload)}();`);
    to.line("}");
    return value;
  };
}

export function writeConditional(condition: Node, whenTrue: Node, whenFalse: Node): Write {
  return (to) => {
    const value = to.temporary();
    const decided = to.value(condition);
    to.line(`if(${decided}===true){`);
    to.line(`${value}=${to.value(whenTrue)};`);
    to.line(`}else if(${decided}===false){`);
    to.line(`${value}=${to.value(whenFalse)};`);
    to.line(`}else throw ${to.bind(noOverload)}();`);
    return value;
  };
}

/** `all` and `exists` with one variable, as compile-comprehension.ts has them. */
export function writeQuantifier(loop: {
  readonly range: Node;
  readonly itemsOf: (range: never) => unknown;
  readonly slot: number;
  readonly predicate: Node;
  readonly isExists: boolean;
}): Write {
  const { range, itemsOf, slot, predicate, isExists } = loop;
  const step = isExists ? 4 : 3;
  return (to) => {
    const [items, at] = [to.temporary(), to.temporary()];
    const [failure, value] = [to.temporary(), to.temporary()];
    const block = to.label();
    const item = to.slot(slot);
    const from = to.value(range);
    to.line(`${items}=Array.isArray(${from})?${from}:${to.bind(itemsOf)}(${from});`);
    to.line(`${failure}=undefined;${value}=${!isExists};`);
    to.line(`${block}:{for(${at}=0;${at}<${items}.length;${at}++){`);
    to.line(`f.cost+=${step};f.tick();`);
    to.line(`${item}=${items}[${at}];if(${item}===undefined)${item}=null;f.slots[${slot}]=${item};`);
    const answer = to.forgetting(item, () =>
      to.valueOrElse(predicate, () => {
        to.line(`if(!(x instanceof ${to.bind(CelError)}))throw x;`);
        to.line(`if(${failure}===undefined)${failure}=x;continue;`);
      }),
    );
    to.line(`if(${answer}===${isExists}){f.cost+=${at}+1<${items}.length?${step}:1;`);
    to.line(`${value}=${isExists};break ${block};}`);
    to.line(`if(typeof ${answer}!=="boolean"&&${failure}===undefined)${failure}=${to.bind(noOverload)}();`);
    to.line("}");
    to.line(`f.cost+=1;if(${failure}!==undefined)throw ${failure};}`);
    return value;
  };
}
