import { CelError } from "../errors.ts";
import { formatValue } from "../format-value.ts";
import type { Library } from "../library.ts";
import { BIND_MACRO, MAP_INSERT, TWO_VARIABLE_MACROS } from "../macros.ts";
import { mapEntries } from "../maps.ts";
import { mapType, typeParam } from "../types.ts";
import { CelMap, type CelValue, isMap } from "../values.ts";

const K = typeParam("K");
const V = typeParam("V");
const MAP_KV = mapType(K, V);

function insert(map: CelValue, added: Iterable<readonly [CelValue, CelValue]>): CelValue {
  const entries = isMap(map) ? [...mapEntries(map)] : [];
  const known = CelMap.of(entries);
  for (const entry of added) {
    if (known.has(entry[0])) throw new CelError(`insert failed: key ${formatValue(entry[0])} already exists`);
    entries.push(entry);
  }
  return CelMap.of(entries);
}

/** Macros with two variables, for the index or key and the value (ext/comprehensions.go of cel-go). */
export const twoVariableLibrary: Library = {
  name: "comprehensions-two-variable",
  macros: TWO_VARIABLE_MACROS,
  functions: [
    {
      // Only the macros call it, and the loops they come to are compiled without it.
      name: MAP_INSERT,
      overloads: [
        {
          id: "@mapInsert_map_key_value",
          isMember: false,
          params: [MAP_KV, K, V],
          result: MAP_KV,
          call: (map, key, value) => insert(map, [[key, value]]),
        },
        {
          id: "@mapInsert_map_map",
          isMember: false,
          params: [MAP_KV, MAP_KV],
          result: MAP_KV,
          call: (map, added) => insert(map, isMap(added) ? mapEntries(added) : []),
        },
      ],
    },
  ],
};

/** `cel.bind(name, value, expression)` (ext/bindings.go of cel-go). */
export const bindingsLibrary: Library = { name: "bindings", macros: [BIND_MACRO], functions: [] };
