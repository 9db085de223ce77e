import { OPERATOR } from "../ast.ts";
import { CelError } from "../errors.ts";
import { formatValue } from "../format-value.ts";
import type { Library, Overload } from "../library.ts";
import { OPTIONAL_MACROS } from "../macros.ts";
import { numberOf } from "../numbers.ts";
import { sizeOf } from "../size.ts";
import { MIN_SECONDS } from "../standard/time.ts";
import {
  BOOL,
  type CelType,
  DYN,
  INT,
  listType,
  mapType,
  optionalType,
  STRING,
  typeParam,
  typeType,
} from "../types.ts";
import { CelDuration, CelOptional, CelTimestamp, type CelValue } from "../values.ts";

const V = typeParam("V");
const K = typeParam("K");
const OPTIONAL_V = optionalType(V);
const LIST_V = listType(V);
const MAP_KV = mapType(K, V);

function overload(
  id: string,
  params: readonly CelType[],
  result: CelType,
  call: Overload["call"],
  isMember = false,
): Overload {
  return { id, isMember, params, result, call };
}

/** Operators and methods that the compiler has in hand. */
function compiled(): never {
  throw new TypeError("an optional operator was called by overload");
}

/** Zero, empty, null: what `optional.ofNonZeroValue` takes for nothing. */
function isZero(value: CelValue): boolean {
  if (value === null || value === false || numberOf(value) === 0) return true;
  if (value instanceof CelDuration) return value.nanoseconds === 0n;
  if (value instanceof CelTimestamp) return value.seconds === MIN_SECONDS && value.nanos === 0;
  return sizeOf(value) === 0;
}

function unwrap(list: CelValue): CelValue {
  return (list as readonly CelValue[]).flatMap((element) => {
    if (!(element instanceof CelOptional))
      throw new CelError(`value ${formatValue(element)} is not optional`);
    return element.value === undefined ? [] : [element.value];
  });
}

function elementAt(list: CelValue, at: number): CelValue {
  const element = (list as readonly CelValue[]).at(at);
  return element === undefined ? CelOptional.none : new CelOptional(element);
}

function present(optional: CelValue): CelValue {
  const { value } = optional as CelOptional;
  if (value === undefined) throw new CelError("optional.none() dereference");
  return value;
}

/** Optional values (cel.OptionalTypes of cel-go); the syntax `.?` is an option of the environment. */
export const optionalsLibrary: Library = {
  name: "optional",
  macros: OPTIONAL_MACROS,
  constants: [{ name: "optional_type", type: typeType(OPTIONAL_V), value: optionalType(DYN) }],
  functions: [
    {
      name: "optional.of",
      overloads: [overload("optional_of", [V], OPTIONAL_V, (value) => new CelOptional(value))],
    },
    {
      name: "optional.ofNonZeroValue",
      overloads: [
        overload("optional_ofNonZeroValue", [V], OPTIONAL_V, (value) =>
          isZero(value) ? CelOptional.none : new CelOptional(value),
        ),
      ],
    },
    { name: "optional.none", overloads: [overload("optional_none", [], OPTIONAL_V, () => CelOptional.none)] },
    { name: "value", overloads: [overload("optional_value", [OPTIONAL_V], V, present, true)] },
    {
      name: "hasValue",
      overloads: [
        overload(
          "optional_hasValue",
          [OPTIONAL_V],
          BOOL,
          (value) => (value as CelOptional).value !== undefined,
          true,
        ),
      ],
    },
    {
      name: "or",
      overloads: [overload("optional_or_optional", [OPTIONAL_V, OPTIONAL_V], OPTIONAL_V, compiled, true)],
    },
    { name: "orValue", overloads: [overload("optional_orValue_value", [OPTIONAL_V, V], V, compiled, true)] },
    {
      name: OPERATOR.optionalSelect,
      overloads: [overload("select_optional_field", [DYN, STRING], OPTIONAL_V, compiled)],
    },
    {
      name: OPERATOR.optionalIndex,
      overloads: [
        overload("list_optindex_optional_int", [LIST_V, INT], OPTIONAL_V, compiled),
        overload("optional_list_optindex_optional_int", [optionalType(LIST_V), INT], OPTIONAL_V, compiled),
        overload("map_optindex_optional_value", [MAP_KV, K], OPTIONAL_V, compiled),
        overload("optional_map_optindex_optional_value", [optionalType(MAP_KV), K], OPTIONAL_V, compiled),
      ],
    },
    {
      name: OPERATOR.index,
      overloads: [
        overload("optional_list_index_int", [optionalType(LIST_V), INT], OPTIONAL_V, compiled),
        overload("optional_map_index_value", [optionalType(MAP_KV), K], OPTIONAL_V, compiled),
      ],
    },
    {
      name: "last",
      overloads: [overload("list_last", [LIST_V], OPTIONAL_V, (list) => elementAt(list, -1), true)],
    },
    {
      name: "first",
      overloads: [overload("list_first", [LIST_V], OPTIONAL_V, (list) => elementAt(list, 0), true)],
    },
    {
      name: "optional.unwrap",
      overloads: [overload("optional_unwrap", [listType(OPTIONAL_V)], LIST_V, unwrap)],
    },
    {
      name: "unwrapOpt",
      overloads: [overload("optional_unwrapOpt", [listType(OPTIONAL_V)], LIST_V, unwrap, true)],
    },
  ],
};
