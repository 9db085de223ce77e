import { mapEntries } from "./maps.ts";
import { type CelType, isOptionalType } from "./types.ts";
import {
  CelDuration,
  CelMap,
  CelOpaque,
  CelOptional,
  CelRecord,
  CelTimestamp,
  CelType as CelTypeValue,
  CelUint,
  type CelValue,
  isDouble,
  isInt,
  isMap,
} from "./values.ts";

export type TypeTest = (value: CelValue) => boolean;

const always: TypeTest = () => true;

/**
 * A test for whether a value may be passed where `type` is declared. Of a list or map only the first entry is looked
 * at, as cel-go does (IsAssignableRuntimeType in common/types/types.go).
 */
export function typeTest(type: CelType): TypeTest {
  switch (type.kind) {
    case "dyn":
    case "any":
    case "param":
    case "error":
      return always;
    case "list":
      return listTest(type);
    case "map":
      return mapTest(type);
    case "wrapper": {
      const inner = typeTest(param(type, 0));
      return (value) => value === null || inner(value);
    }
    case "opaque":
      return opaqueTest(type);
    case "struct":
      return structTest(type);
    default:
      return SIMPLE[type.kind];
  }
}

const SIMPLE: Record<
  "bool" | "bytes" | "double" | "duration" | "int" | "null" | "string" | "timestamp" | "type" | "uint",
  TypeTest
> = {
  bool: (value) => typeof value === "boolean",
  bytes: (value) => value instanceof Uint8Array,
  double: isDouble,
  duration: (value) => value instanceof CelDuration,
  int: isInt,
  null: (value) => value === null,
  string: (value) => typeof value === "string",
  timestamp: (value) => value instanceof CelTimestamp,
  type: (value) => value instanceof CelTypeValue,
  uint: (value) => value instanceof CelUint,
};

function listTest(type: CelType): TypeTest {
  const element = typeTest(param(type, 0));
  if (element === always) return (value) => Array.isArray(value);
  return (value) => Array.isArray(value) && (value.length === 0 || element(value[0]));
}

function mapTest(type: CelType): TypeTest {
  const key = typeTest(param(type, 0));
  const element = typeTest(param(type, 1));
  if (key === always && element === always) return isMap;
  return (value) => {
    if (!isMap(value)) return false;
    if (element === always && !(value instanceof CelMap)) return key("") || Object.keys(value).length === 0;
    for (const [first, held] of mapEntries(value)) return key(first) && element(held);
    return true;
  };
}

/** A JSON object may stand for an object of any type; what libraries add is of one type and no other. */
function structTest(type: CelType): TypeTest {
  return (value) => {
    if (value instanceof CelRecord) return value.typeName === type.name;
    if (value instanceof CelOpaque) return value.type.name === type.name;
    return isMap(value);
  };
}

function opaqueTest(type: CelType): TypeTest {
  if (isOptionalType(type)) return (value) => value instanceof CelOptional;
  return (value) => value instanceof CelOpaque && value.type.name === type.name;
}

function param(type: CelType, at: number): CelType {
  const found = type.params[at];
  if (found === undefined) throw new TypeError(`type ${type.name} lacks parameter ${at}`);
  return found;
}
