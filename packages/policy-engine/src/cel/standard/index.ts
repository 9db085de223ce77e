import type { Constant, FunctionDeclaration, Library } from "../library.ts";
import { STANDARD_MACROS } from "../macros.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  INT,
  LIST,
  MAP,
  NULL,
  STRING,
  TIMESTAMP,
  TYPE,
  typeType,
  UINT,
} from "../types.ts";
import { CONVERSIONS } from "./conversions.ts";
import { OPERATORS } from "./operators.ts";
import { STRING_FUNCTIONS } from "./string-functions.ts";
import { TIME_FUNCTIONS } from "./time-functions.ts";

const typeName = (type: CelType): Constant => ({ name: type.name, type: typeType(type), value: type });

const conversions: readonly FunctionDeclaration[] = Object.entries(CONVERSIONS).map(([name, overloads]) => ({
  name,
  overloads,
}));

/** What every CEL environment has (specification, "List of Standard Definitions"). */
export const standardLibrary: Library = {
  name: "stdlib",
  functions: [...OPERATORS, ...conversions, ...STRING_FUNCTIONS, ...TIME_FUNCTIONS],
  macros: STANDARD_MACROS,
  constants: [BOOL, BYTES, DOUBLE, DURATION, INT, LIST, MAP, NULL, STRING, TIMESTAMP, TYPE, UINT].map(
    typeName,
  ),
};
