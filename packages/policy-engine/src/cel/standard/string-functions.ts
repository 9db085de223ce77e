import { CelError } from "../errors.ts";
import type { FunctionDeclaration, Overload } from "../library.ts";
import { costSize, regexCost, sizeOf, traversalCost } from "../size.ts";
import { indexIn } from "../text-search.ts";
import { BOOL, BYTES, type CelType, INT, listType, mapType, STRING, typeParam } from "../types.ts";
import type { CelValue } from "../values.ts";
import { workOf } from "../work.ts";
import { noOperator } from "./arithmetic.ts";
import { regexMatches } from "./regex.ts";

type Cost = NonNullable<Overload["cost"]>;

const sizeAt = (args: readonly CelValue[], at: number): number => costSize(args[at] ?? null);

function never(): never {
  throw new TypeError("a function with one implementation was called by overload");
}

function stringTest(
  name: string,
  id: string,
  cost: Cost,
  test: (text: string, other: string) => boolean,
): FunctionDeclaration {
  return {
    name,
    overloads: [
      { id, isMember: true, params: [STRING, STRING], result: BOOL, call: never, cost, isCostStatic: true },
    ],
    work: (_text = null, other = null) => workOf(other),
    singleton: (text, other) => {
      if (typeof text !== "string" || typeof other !== "string") throw new CelError("no such overload");
      return test(text, other);
    },
  };
}

const ofArgument: Cost = (args) => traversalCost(sizeAt(args, 1));

function matches(text: CelValue, pattern: CelValue): CelValue {
  if (typeof text !== "string") throw noOperator("matches", text);
  if (typeof pattern !== "string") throw new CelError("no such overload");
  return regexMatches(text, pattern);
}

function matchesOverload(id: string, isMember: boolean): Overload {
  const cost: Cost = (args) => regexCost(sizeAt(args, 0), sizeAt(args, 1));
  return { id, isMember, params: [STRING, STRING], result: BOOL, call: never, cost, isCostStatic: true };
}

function size(value: CelValue): CelValue {
  const found = sizeOf(value);
  if (found === undefined) throw noOperator("size", value);
  return found;
}

function sizeOverloads(kind: string, type: CelType): Overload[] {
  const declared = { params: [type], result: INT, call: never };
  return [
    { id: `size_${kind}`, isMember: false, ...declared },
    { id: `${kind}_size`, isMember: true, ...declared },
  ];
}

/** Functions on text and sizes that every environment has. */
export const STRING_FUNCTIONS: readonly FunctionDeclaration[] = [
  {
    name: "size",
    overloads: [
      ...sizeOverloads("bytes", BYTES),
      ...sizeOverloads("list", listType(typeParam("A"))),
      ...sizeOverloads("map", mapType(typeParam("A"), typeParam("B"))),
      ...sizeOverloads("string", STRING),
    ],
    singleton: size,
    // Characters and keys are counted as they are read.
    work: () => 1,
  },
  stringTest(
    "contains",
    "contains_string",
    (args) => traversalCost(sizeAt(args, 0)) * traversalCost(sizeAt(args, 1)),
    (text, other) => indexIn(text, other) !== -1,
  ),
  stringTest("endsWith", "ends_with_string", ofArgument, (text, other) => text.endsWith(other)),
  stringTest("startsWith", "starts_with_string", ofArgument, (text, other) => text.startsWith(other)),
  {
    name: "matches",
    overloads: [matchesOverload("matches", false), matchesOverload("matches_string", true)],
    singleton: matches,
  },
];
