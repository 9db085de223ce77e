import type { IncrementalTest, IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { evaluateBothWays } from "./generate/both-ways.test-kit.ts";
import {
  ANY,
  BOOL,
  BYTES,
  bindings,
  bindingsLibrary,
  CelEnvironment,
  CelError,
  CelMap,
  type CelType,
  CelType as CelTypeClass,
  type CelValue,
  check,
  compile,
  DOUBLE,
  DURATION,
  DYN,
  encodersLibrary,
  equals,
  formatType,
  formatValue,
  INT,
  isDouble,
  type Library,
  listsLibrary,
  listType,
  makeDouble,
  makeInt,
  makeUint,
  mapType,
  mathLibrary,
  NULL,
  nullableType,
  type Overload,
  opaqueType,
  optionalsLibrary,
  STRING,
  stringsLibrary,
  TIMESTAMP,
  TYPE,
  twoVariableLibrary,
  typeOf,
  typeParam,
  typeType,
  UINT,
  type Variable,
} from "./index.ts";
import { doubleOf } from "./values.ts";

// Runs cases of the CEL specification's conformance suite (@bufbuild/cel-spec). The suite speaks protobuf; what of it
// maps to values without messages is turned into ours.

type SimpleTest = IncrementalTest["original"];
type ProtoValue = Extract<SimpleTest["resultMatcher"], { case: "value" }>["value"];
type ProtoType = NonNullable<
  Extract<SimpleTest["resultMatcher"], { case: "typedResult" }>["value"]["deducedType"]
>;

export interface Case {
  readonly id: string;
  readonly file: string;
  readonly test: IncrementalTest;
}

export function allCases(suite: IncrementalTestSuite, path: readonly string[] = []): Case[] {
  const own = suite.tests.map((test) => ({ id: [...path, test.name].join("/"), file: path[0] ?? "", test }));
  return [...own, ...suite.suites.flatMap((inner) => allCases(inner, [...path, inner.name]))];
}

/** Whether a case is about messages, which Kubernetes objects are not. */
export function needsMessages({ file, test }: Case): boolean {
  // block_ext is written in macros that only the suite's own runner has.
  if (file === "block_ext") return true;
  if (/TestAllTypes|google\.protobuf\.\w+\s*\{|proto\.(get|has)Ext/.test(test.original.expr)) return true;
  const text = JSON.stringify(test.original, (_key, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return (
    /"case":"(objectValue|messageType|enumValue)"/.test(text) ||
    /^(cel\.expr|google\.protobuf)/.test(test.original.container)
  );
}

/** undefined: passed; otherwise what went wrong. */
export function runCase({ test }: Case): string | undefined {
  const { original } = test;
  const environment = environmentFor(original);
  try {
    const parsed = environment.parse(original.expr);
    const checked = original.disableCheck ? undefined : check(parsed, environment);
    const typeProblem = checked === undefined ? undefined : checkType(original, test.type, checked.type);
    if (typeProblem !== undefined || original.checkOnly) return typeProblem;
    const outcome = evaluateBothWays(
      () => compile(checked ?? parsed, environment),
      bindings(valuesFor(original)),
    );
    if (outcome.kind === "error") throw outcome.error;
    return compareResult(original, outcome.value);
  } catch (error) {
    const expectsError = ["evalError", "anyEvalErrors"].includes(original.resultMatcher.case ?? "");
    if (!(error instanceof CelError)) throw error;
    return expectsError ? undefined : `error: ${error.message}`;
  }
}

function checkType(original: SimpleTest, upstream: string | undefined, actual: CelType): string | undefined {
  const { resultMatcher } = original;
  const expected =
    resultMatcher.case === "typedResult" && resultMatcher.value.deducedType !== undefined
      ? formatType(typeFrom(resultMatcher.value.deducedType))
      : upstream;
  const shown = formatType(actual);
  return expected === undefined || expected === shown ? undefined : `type ${shown}, expected ${expected}`;
}

function compareResult(original: SimpleTest, value: CelValue): string | undefined {
  const { resultMatcher } = original;
  switch (resultMatcher.case) {
    case "evalError":
    case "anyEvalErrors":
      return `value ${formatValue(value)}, expected an error`;
    case "value":
      return compareValue(value, valueFrom(resultMatcher.value));
    case "typedResult": {
      const expected = resultMatcher.value.result;
      return expected === undefined ? undefined : compareValue(value, valueFrom(expected));
    }
    default:
      return compareValue(value, true);
  }
}

function compareValue(actual: CelValue, expected: CelValue): string | undefined {
  const bothNaN =
    isDouble(actual) &&
    isDouble(expected) &&
    Number.isNaN(doubleOf(actual)) &&
    Number.isNaN(doubleOf(expected));
  const isSame = bothNaN || (equals(actual, expected) && typeOf(actual).name === typeOf(expected).name);
  const show = (value: CelValue): string => `${typeOf(value).name} ${formatValue(value)}`;
  return isSame ? undefined : `${show(actual)}, expected ${show(expected)}`;
}

function environmentFor(test: SimpleTest): CelEnvironment {
  const declared: Variable[] = [];
  const overloads: Library["functions"][number][] = [];
  for (const { name, declKind } of test.typeEnv) {
    if (declKind.case === "ident") {
      declared.push({ name, type: declKind.value.type === undefined ? DYN : typeFrom(declKind.value.type) });
    } else if (declKind.case === "function") {
      overloads.push({
        name,
        overloads: declKind.value.overloads.map(
          (overload): Overload => ({
            id: overload.overloadId,
            isMember: overload.isInstanceFunction,
            params: overload.params.map(typeFrom),
            result: overload.resultType === undefined ? DYN : typeFrom(overload.resultType),
            call: () => {
              throw new CelError("not bound");
            },
          }),
        ),
      });
    }
  }
  const names = new Set(declared.map((variable) => variable.name));
  const bound = Object.keys(test.bindings).filter((name) => !names.has(name));
  return new CelEnvironment({
    libraries: [
      optionalsLibrary,
      twoVariableLibrary,
      bindingsLibrary,
      stringsLibrary({ version: 4 }),
      mathLibrary,
      encodersLibrary,
      listsLibrary,
      { name: "declared", functions: overloads },
    ],
    variables: [...declared, ...bound.map((name) => ({ name, type: DYN }))],
    container: test.container,
    optionalSyntax: true,
    identEscapeSyntax: true,
    crossTypeNumericComparisons: true,
  });
}

function valuesFor(test: SimpleTest): Record<string, CelValue> {
  const values: Record<string, CelValue> = {};
  for (const [name, { kind }] of Object.entries(test.bindings)) {
    if (kind.case === "value") values[name] = valueFrom(kind.value);
  }
  return values;
}

const TYPE_NAMES = new Map(
  [BOOL, BYTES, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP, TYPE, UINT].map((type) => [type.name, type]),
);

function valueFrom({ kind }: ProtoValue): CelValue {
  switch (kind.case) {
    case "nullValue":
      return null;
    case "boolValue":
    case "stringValue":
    case "bytesValue":
      return kind.value;
    case "int64Value":
      return makeInt(kind.value);
    case "uint64Value":
      return makeUint(kind.value);
    case "doubleValue":
      return makeDouble(kind.value);
    case "listValue":
      return kind.value.values.map(valueFrom);
    case "mapValue":
      return CelMap.of(
        kind.value.entries.map(({ key, value }) => {
          if (key === undefined || value === undefined)
            throw new TypeError("a map entry without key or value");
          return [valueFrom(key), valueFrom(value)] as const;
        }),
      );
    case "typeValue":
      return TYPE_NAMES.get(kind.value) ?? new CelTypeClass("opaque", kind.value);
    default:
      throw new TypeError(`value of kind ${kind.case}`);
  }
}

/** Names of google.api.expr primitive types by number. */
const PRIMITIVES: readonly CelType[] = [DYN, BOOL, INT, UINT, DOUBLE, STRING, BYTES];
const WELL_KNOWN: readonly CelType[] = [DYN, ANY, TIMESTAMP, DURATION];

function typeFrom({ typeKind }: ProtoType): CelType {
  const inner = (type: ProtoType | undefined): CelType => (type === undefined ? DYN : typeFrom(type));
  switch (typeKind.case) {
    case "primitive":
      return PRIMITIVES[typeKind.value] ?? DYN;
    case "wrapper":
      return nullableType(PRIMITIVES[typeKind.value] ?? DYN);
    case "wellKnown":
      return WELL_KNOWN[typeKind.value] ?? DYN;
    case "null":
      return NULL;
    case "listType":
      return listType(inner(typeKind.value.elemType));
    case "mapType":
      return mapType(inner(typeKind.value.keyType), inner(typeKind.value.valueType));
    case "typeParam":
      return typeParam(typeKind.value);
    case "type":
      return typeKind.value.typeKind.case === undefined ? TYPE : typeType(typeFrom(typeKind.value));
    case "abstractType":
      return opaqueType(typeKind.value.name, ...typeKind.value.parameterTypes.map(typeFrom));
    default:
      return DYN;
  }
}
