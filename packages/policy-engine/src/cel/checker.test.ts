import { describe, expect, it } from "vitest";
import {
  CelCompileError,
  CelEnvironment,
  check,
  DYN,
  type EnvironmentOptions,
  formatType,
  INT,
  listType,
  mapType,
  optionalsLibrary,
  STRING,
  structType,
} from "./index.ts";

const pod = {
  name: "Pod",
  fields: new Map([
    ["name", STRING],
    ["ports", listType(INT)],
    ["labels", mapType(STRING, STRING)],
  ]),
};

const options: EnvironmentOptions = {
  variables: [
    { name: "pod", type: structType("Pod") },
    { name: "any", type: DYN },
    { name: "com.example.x", type: INT },
  ],
  types: { findType: (name) => (name === "Pod" ? pod : undefined) },
  libraries: [optionalsLibrary],
  optionalSyntax: true,
};
const environment = new CelEnvironment(options);

const typeOf = (source: string, env = environment): string => formatType(check(env.parse(source), env).type);

function mistakes(source: string, env = environment): string[] {
  try {
    check(env.parse(source), env);
    return [];
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error;
    return error.issues.map(({ line, column, message }) => `${line}:${column + 1} ${message}`);
  }
}

describe("types", () => {
  it.each([
    ["pod.name", "string"],
    ["pod.ports.map(p, p + 1)", "list(int)"],
    ["pod.labels['app']", "string"],
    ["pod.?name", "optional_type(string)"],
    ["any.a.b[0]", "dyn"],
    ["[1, 'a']", "list(dyn)"],
    ["{}", "map(dyn, dyn)"],
    ["true ? 1 : any", "dyn"],
    ["type(1)", "type(int)"],
    ["Pod{name: 'x'}", "Pod"],
    ["com.example.x", "int"],
    ["optional.of(1).or(optional.none()).orValue(2)", "int"],
  ])("%s is %s", (source, type) => {
    expect(typeOf(source)).toBe(type);
  });

  it("looks names up in the container first", () => {
    const inside = new CelEnvironment({ ...options, container: "com.example.app" });
    expect(typeOf("x", inside)).toBe("int");
    expect(mistakes("y", inside)).toEqual([
      "1:1 undeclared reference to 'y' (in container 'com.example.app')",
    ]);
  });
});

describe("mistakes", () => {
  it.each([
    ["1 + 'a'", "1:3 found no matching overload for '_+_' applied to '(int, string)'"],
    ["pod.nam", "1:4 undefined field 'nam'"],
    ["pod.name.size", "1:9 type 'string' does not support field selection"],
    [
      "pod.name.all(c, true)",
      "1:4 expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ["true && 1", "1:9 expected type 'bool' but found 'int'"],
    ["Pod{name: 1}", "1:9 expected type of field 'name' is 'string' but provided type is 'int'"],
    ["'a'.foo()", "1:8 undeclared reference to 'foo' (in container '')"],
    ["int{}", "1:4 'int' is not a message type"],
    ["1 < 2.0", "1:3 found no matching overload for '_<_' applied to '(int, double)'"],
    ["\n  'é' +\n nope", "3:2 undeclared reference to 'nope' (in container '')"],
  ])("%s: %s", (source, mistake) => {
    expect(mistakes(source)).toEqual([mistake]);
  });

  it("are all told at once, in the order of the text", () => {
    expect(mistakes("a + b.c(d)")).toHaveLength(4);
  });

  it("show the line with a caret below", () => {
    expect(() => check(environment.parse("1 +\n  nope"), environment)).toThrow(
      "ERROR: <input>:2:3: undeclared reference to 'nope' (in container '')\n |   nope\n | ..^",
    );
  });
});

describe("options", () => {
  it("may refuse literals of mixed types", () => {
    const strict = new CelEnvironment({ ...options, homogeneousLiterals: true });
    expect(mistakes("[1, 'a'] == [] || {'a': 1, 2: 'b'} == {}", strict)).toEqual([
      "1:5 expected type 'int' but found 'string'",
      "1:28 expected type 'string' but found 'int'",
      "1:31 expected type 'int' but found 'string'",
    ]);
  });

  it("may allow numbers of different kinds to be compared", () => {
    const lenient = new CelEnvironment({ ...options, crossTypeNumericComparisons: true });
    expect(mistakes("1 < 2.0 && 3u >= 2", lenient)).toEqual([]);
  });
});
