import { describe, expect, it } from "vitest";
import {
  bindings,
  bindingsLibrary,
  CelAbort,
  CelCostError,
  CelDeadlineError,
  CelEnvironment,
  CelError,
  CelPending,
  CelRecord,
  type CelValue,
  check,
  compile,
  DYN,
  formatValue,
  type Library,
  listsLibrary,
  optionalsLibrary,
  STRING,
  stringsLibrary,
  twoVariableLibrary,
} from "./index.ts";

const asking: Library = {
  name: "asking",
  functions: [
    {
      name: "ask",
      overloads: [
        {
          id: "ask_string",
          isMember: false,
          params: [STRING],
          result: DYN,
          call: (question) => {
            throw new CelPending(question);
          },
        },
      ],
    },
  ],
};

const environment = new CelEnvironment({
  variables: [{ name: "object", type: DYN }],
  libraries: [stringsLibrary(), listsLibrary, optionalsLibrary, twoVariableLibrary, bindingsLibrary, asking],
  optionalSyntax: true,
  crossTypeNumericComparisons: true,
});

const object: CelValue = JSON.parse(
  `{"spec": {"replicas": 3, "containers": [{"name": "a"}, {"name": "b", "securityContext": {"privileged": true}}]},
    "list": [1, 2, 3], "text": "héllo", "none": null, "__proto__": {"x": 1}, "labels": {"app": "web"}}`,
);

function evaluate(source: string, costLimit = 1_000_000): { value: CelValue; cost: number } {
  const program = compile(check(environment.parse(source), environment), environment);
  return program.evaluate(bindings({ object }), { costLimit });
}

const failure = (source: string): string => {
  try {
    return `value ${formatValue(evaluate(source).value)}`;
  } catch (error) {
    if (error instanceof CelError || error instanceof CelAbort) return error.message;
    throw error;
  }
};

describe("errors that users see", () => {
  it.each([
    ["object.missing", "no such key: missing"],
    ["object.none.x", "no such key: x"],
    ["object.list[3]", "index out of bounds: 3"],
    ["object.list.x", "unsupported index type 'string' in list"],
    ["object.spec.replicas / 0", "division by zero"],
    ["object.spec.replicas % 0", "modulus by zero"],
    ["9223372036854775807 + object.spec.replicas", "integer overflow"],
    ["object.text + object.spec.replicas", "no such overload"],
    ["object.none + 1", "no such overload: _+_"],
    ["object.text.startsWith(object.spec.replicas)", "no such overload"],
    ["object.text && true", "no such overload"],
    ["size(object.spec.replicas)", "no such overload: size"],
    ["object.text.substring(9)", "index out of range: 9"],
    ["object.text.upperAscii() == object.spec.replicas.upperAscii()", "no such overload: upperAscii(int)"],
    ["duration(object.text)", "type conversion error from 'string' to 'google.protobuf.Duration'"],
    ["timestamp(253402300800)", "timestamp overflow"],
    ["object.text.matches('(')", "error parsing regexp: missing closing ): `(`"],
    ["object.text.all(c, c == 'x')", "got 'types.String', expected iterable type"],
    ["object.?missing.value()", "optional.none() dereference"],
    ["object.list.map(x, x.y)", "no such key: y"],
    ["{'a': 1}[object.text]", "no such key: héllo"],
  ])("%s: %s", (source, message) => {
    expect(failure(source)).toBe(message);
  });

  it("tells of the last filter and the first element that had no value, as cel-go does", () => {
    expect(failure("[{'a': 1}, {'b': 1}].filter(m, m.c > 1 || m.b > m.d)")).toBe("no such key: c");
    expect(failure("['a', 'b'].filter(m, object[m] > 1)")).toBe("no such key: b");
    expect(failure("['a', 'b'].map(m, object[m])")).toBe("no such key: a");
  });

  it("passes a conversion of a constant that cannot be on to whoever compiles", () => {
    expect(() => compile(environment.parse("int('x') == 1"), environment)).toThrow(
      "type conversion error from 'string' to 'int'",
    );
  });
});

describe("absorbing errors", () => {
  it.each([
    ["object.missing || true", true],
    ["true || object.missing", true],
    ["object.missing && false", false],
    ["object.list.exists(x, x / 0 == 1 || x == 2)", true],
    ["object.list.all(x, x / (x - 2) > 5)", false],
    ["has(object.spec.x.y) || true", true],
    ["object.spec.containers.exists(c, c.securityContext.privileged)", true],
  ])("%s is %s", (source, value) => {
    expect(evaluate(source).value).toBe(value);
  });

  it("never absorbs an answer that is not known yet, nor a spent budget", () => {
    expect(() => evaluate("ask('may I?') || true")).toThrow(CelPending);
    expect(() => evaluate("object.list.exists(x, x > 0 && ask('?'))")).toThrow(CelPending);
    expect(() => evaluate("object.list.map(x, x) == [] || true", 20)).toThrow(CelCostError);
  });
});

describe("objects", () => {
  it("have own keys only", () => {
    expect(failure("object.constructor")).toBe("no such key: constructor");
    expect(failure("object.labels.toString")).toBe("no such key: toString");
    expect(evaluate("object.__proto__.x").value).toBe(1);
    expect(evaluate("has(object.labels.__proto__) || 'hasOwnProperty' in object").value).toBe(false);
  });

  it("may compute their fields when asked for", () => {
    const reads: string[] = [];
    class Variables extends CelRecord {
      readonly typeName = "variables";
      field(name: string): CelValue | undefined {
        reads.push(name);
        return name === "x" ? 7 : undefined;
      }
    }
    const program = compile(environment.parse("object.x == 7 || object.y"), environment);
    expect(program.evaluate(bindings({ object: new Variables() })).value).toBe(true);
    expect(reads).toEqual(["x"]);
  });
});

describe("costs", () => {
  // Counted by cel-go in the environment of Kubernetes.
  it.each([
    ["object.spec.replicas <= 5", 4],
    ["has(object.spec.replicas)", 2],
    ["object.list.all(x, x > 0)", 18],
    ["object.list.exists(x, x > 1)", 18],
    ["object.list.map(x, x * 2)", 45],
    ["object.list.filter(x, x > 1)", 35],
    ["object.list.exists_one(x, x == 1)", 12],
    ["object.text == 'a'", 3],
    ["object.text.contains('l')", 3],
    ["'a' in ['a', 'b']", 0],
    ["object.text in ['a', 'b']", 2],
    ["[object.text, 'b']", 12],
    ["true ? object.text : 'x'", 1],
    ["object.list[object.spec.replicas - 2]", 7],
    ["object.?missing.?x.orValue(1)", 1],
  ])("%s costs %i", (source, cost) => {
    expect(evaluate(source).cost).toBe(cost);
  });

  it("end an evaluation in the middle of a loop", () => {
    const nested = "object.list.all(a, object.list.all(b, object.list.all(c, a + b + c > 0)))";
    expect(() => evaluate(nested, 100)).toThrow("operation cancelled: actual cost limit exceeded");
  });

  it("are told of evaluations that failed as well", () => {
    const program = compile(check(environment.parse("object.list[7] == 1"), environment), environment);
    const { error, cost } = program.tryEvaluate(bindings({ object }));
    expect(error?.message).toBe("index out of bounds: 7");
    expect(cost).toBeGreaterThan(0);
  });
});

describe("a deadline", () => {
  it("ends long loops", () => {
    const program = compile(environment.parse("lists.range(1000).all(x, x >= 0)"), environment);
    expect(() => program.evaluate(bindings({}), { isLate: () => true })).toThrow(CelDeadlineError);
    expect(program.evaluate(bindings({}), { isLate: () => false }).value).toBe(true);
  });
});
