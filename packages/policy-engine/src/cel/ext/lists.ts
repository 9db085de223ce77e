import type { Expr, ExprFactory } from "../ast.ts";
import { equals } from "../equality.ts";
import { CelError } from "../errors.ts";
import type { Library, Overload } from "../library.ts";
import type { CelMacro } from "../macro.ts";
import { STANDARD_MACROS } from "../macros.ts";
import { compare } from "../ordering.ts";
import { costSize } from "../size.ts";
import { noOperator } from "../standard/arithmetic.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  STRING,
  TIMESTAMP,
  typeParam,
  UINT,
} from "../types.ts";
import { type CelValue, isInt, isList, typeOf } from "../values.ts";
import { spend } from "../work.ts";

const T = typeParam("T");
const LIST_T = listType(T);
const COMPARABLE: readonly CelType[] = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES];
/** Longest list that `lists.range` makes, as in cel-go. */
const MAX_RANGE = 1_000_000;
/** Deepest nesting that `flatten` takes apart. */
const MAX_DEPTH = 500;
const CALL_COST = 1;
const LIST_COST = 10;

type Cost = NonNullable<Overload["cost"]>;

const listOf = (value: CelValue | undefined): readonly CelValue[] => value as readonly CelValue[];
const allocating = (size: number, factor = 1): number => Math.trunc(size * factor) + CALL_COST + LIST_COST;
const bySize: Cost = (_args, result) => allocating(costSize(result));

/** Comparing all with all, and reading strings and bytes on top. */
function byPairs(at: number): Cost {
  return (args) => {
    const list = listOf(args[at]);
    const [first] = list;
    const factor = typeof first === "string" || first instanceof Uint8Array ? 2.1 : 2;
    return allocating(list.length * list.length, factor);
  };
}

const byDepth: Cost = (args) => {
  const depth = args.length === 2 ? Number(args[1]) : 1;
  return allocating(costSize(args[0] ?? null), depth < 0 ? 1 : depth);
};

function method(
  id: string,
  params: readonly CelType[],
  result: CelType,
  call: Overload["call"],
  cost: Cost,
): Overload {
  return { id, isMember: true, params, result, call, cost, isCostStatic: true };
}

function slice(value: CelValue, from: CelValue, to: CelValue): CelValue {
  const list = listOf(value);
  const [start, end] = [Number(from), Number(to)];
  const call = `cannot slice(${String(from)}, ${String(to)})`;
  if (start < 0 || end < 0) throw new CelError(`${call}, negative indexes not supported`);
  if (start > end) throw new CelError(`${call}, start index must be less than or equal to end index`);
  if (list.length < end) throw new CelError(`${call}, list is length ${list.length}`);
  spend(end - start);
  return list.slice(start, end);
}

function flatten(value: CelValue, depth: CelValue | undefined): CelValue {
  if (!Array.isArray(value) || (depth !== undefined && !isInt(depth))) {
    const argument = depth === undefined ? "" : typeOf(depth).name;
    throw new CelError(`no such overload: ${typeOf(value).name}.flatten(${argument})`);
  }
  const levels = depth === undefined ? 1 : Number(depth);
  if (levels < 0) throw new CelError("level must be non-negative");
  return flattenInto([], listOf(value), Math.min(levels, MAX_DEPTH));
}

function flattenInto(out: CelValue[], list: readonly CelValue[], depth: number): CelValue[] {
  spend(list.length * 2);
  for (const element of list) {
    if (Array.isArray(element) && depth > 0) flattenInto(out, listOf(element), depth - 1);
    else out.push(element);
  }
  return out;
}

/** What a comparison of a sort takes, in units of work.ts. */
const COMPARISON_WORK = 1 / 4;

function sortByKeys(value: CelValue, keyValues: CelValue): CelValue {
  const list = listOf(value);
  const keys = listOf(keyValues);
  if (list.length !== keys.length) {
    throw new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.length} and ${keys.length} elements respectively`,
    );
  }
  if (list.length === 0) return list;
  const kind = typeOf(keys[0] ?? null).name;
  if (!COMPARABLE.some((type) => type.name === kind)) throw new CelError("list elements must be comparable");
  if (keys.some((key) => typeOf(key).name !== kind))
    throw new CelError("list elements must have the same type");
  const pairs = list.map((element, at) => ({ element, key: keys[at] ?? null }));
  pairs.sort((a, b) => {
    spend(COMPARISON_WORK);
    return compare(a.key, b.key, "_<_");
  });
  return pairs.map(({ element }) => element);
}

function sortLists(name: string, list: CelValue = null, keys: CelValue = null): CelValue {
  if (!isList(list) || !isList(keys)) throw noOperator(name, list);
  return sortByKeys(list, keys);
}

function range(size: CelValue): CelValue {
  const length = Number(size);
  if (length < 0) throw new CelError(`lists.range: size must be non-negative, got ${String(size)}`);
  if (length > MAX_RANGE) {
    throw new CelError(`lists.range: size ${String(size)} exceeds maximum allowed (${MAX_RANGE})`);
  }
  spend(length);
  const list: number[] = [];
  for (let at = 0; at < length; at++) list.push(at);
  return list;
}

function distinct(value: CelValue): CelValue {
  const unique: CelValue[] = [];
  const strings = new Set<string>();
  const others: CelValue[] = [];
  for (const element of listOf(value)) {
    if (typeof element === "string") {
      if (strings.has(element)) continue;
      strings.add(element);
    } else {
      if (others.some((other) => equals(element, other))) continue;
      others.push(element);
    }
    unique.push(element);
  }
  return unique;
}

const SORT_INPUT = "@__sortBy_input__";
const SORTABLE: ReadonlySet<Expr["kind"]> = new Set(["list", "select", "ident", "comprehension", "call"]);

function expandSortBy(make: ExprFactory, target: Expr | undefined, args: readonly Expr[]): Expr | undefined {
  if (target === undefined) return undefined;
  if (!SORTABLE.has(target.kind)) {
    return make.fail(
      target,
      "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
    );
  }
  const map = STANDARD_MACROS.find((macro) => macro.name === "map" && macro.argCount === 2);
  const keys = map?.expand(make, make.ident(SORT_INPUT), args);
  if (keys === undefined) return undefined;
  return make.comprehension({
    range: make.list(),
    iterVar: "#unused",
    accuVar: SORT_INPUT,
    init: target,
    condition: make.literal(false),
    step: make.ident(SORT_INPUT),
    result: make.memberCall("@sortByAssociatedKeys", make.ident(SORT_INPUT), keys),
  });
}

const sortBy: CelMacro = { name: "sortBy", argCount: 2, isMember: true, expand: expandSortBy };

/** Functions on lists (ext/lists.go of cel-go, version 3 and its costs). */
export const listsLibrary: Library = {
  name: "lists",
  macros: [sortBy],
  functions: [
    { name: "slice", overloads: [method("list_slice", [LIST_T, INT, INT], LIST_T, slice, bySize)] },
    {
      name: "flatten",
      overloads: [
        method("list_flatten", [listType(LIST_T)], LIST_T, flatten, byDepth),
        method("list_flatten_int", [listType(DYN), INT], listType(DYN), flatten, byDepth),
      ],
      singleton: flatten,
    },
    {
      name: "sort",
      overloads: COMPARABLE.map((type) => ({
        ...method(
          `list_${type.name}_sort`,
          [listType(type)],
          listType(type),
          (list) => sortByKeys(list, list),
          byPairs(0),
        ),
        isCostAhead: true,
      })),
      // Whichever overload the checker settled on for a list of unknown elements, any list will do.
      singleton: (list) => sortLists("sort", list, list),
    },
    {
      name: "@sortByAssociatedKeys",
      overloads: COMPARABLE.map((type) => ({
        ...method(
          `list_${type.name}_sortByAssociatedKeys`,
          [LIST_T, listType(type)],
          LIST_T,
          sortByKeys,
          byPairs(1),
        ),
        isCostAhead: true,
      })),
      singleton: (list, keys) => sortLists("@sortByAssociatedKeys", list, keys),
    },
    {
      name: "lists.range",
      overloads: [{ ...method("lists_range", [INT], listType(INT), range, bySize), isMember: false }],
    },
    {
      name: "reverse",
      overloads: [method("list_reverse", [LIST_T], LIST_T, (list) => listOf(list).toReversed(), bySize)],
    },
    {
      name: "distinct",
      overloads: [{ ...method("list_distinct", [LIST_T], LIST_T, distinct, byPairs(0)), isCostAhead: true }],
    },
  ],
};
