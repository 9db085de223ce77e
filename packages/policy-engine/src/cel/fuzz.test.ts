import { describe, expect, it } from "vitest";
import {
  bindings,
  bindingsLibrary,
  CelAbort,
  CelEnvironment,
  CelError,
  type CelValue,
  check,
  compile,
  DYN,
  encodersLibrary,
  listsLibrary,
  mathLibrary,
  optionalsLibrary,
  stringsLibrary,
  twoVariableLibrary,
} from "./index.ts";

const CASES = Number(process.env.SHIELDX_FUZZ_CASES ?? 4000);
const SEED = Number(process.env.SHIELDX_SEED ?? 20_260_101);
/** No expression may keep the engine busy for longer, in milliseconds; the budget ends most far earlier. */
const MAX_MS = 3000;

const CORPUS: readonly string[] = [
  "object.spec.containers.all(c, has(c.securityContext) && c.securityContext.privileged != true)",
  "object.metadata.labels.exists(k, k == 'app' && object.metadata.labels[k].matches('^[a-z]+$'))",
  "object.spec.replicas <= 5 || object.?metadata.?annotations[?'x'].orValue('') in ['a', 'b']",
  "cel.bind(x, object.list, x.map(e, e * 2).filter(e, e > 3).size() == x.size())",
  "object.list.transformMap(i, v, i % 2 == 0, v + i).exists(k, v, v > 1)",
  "'%s is %d and %.2f'.format(['a', 1, 2.5])",
  "timestamp('2024-02-29T12:00:00.5+01:00') - duration('1h2m3.4s') < timestamp(0)",
  "math.greatest([1, 2u, 3.5]) == 3.5 ? base64.encode(b'\\x00\\377') : string(1.5e-9)",
  "[3, 1, 2].sort().slice(0, 2).reverse() + lists.range(3).distinct() == [dyn(1), {'a': null}]",
  "{'a': 1, ?'b': object.?none, 1u: [?object.?text]}.a.size() == -9223372036854775808 % -1",
  "object.text.substring(1, 3).upperAscii().replace('', '-', 2).split('-').join('é')",
  "type(object.number) == int && int(object.real) / 0 == 0x7FFFFFFFFFFFFFFF",
  'r"\\d+" + """long\ntext""" + \'\\u00e9\\U0001F600\' == object.text.optMap(t, t)',
];

const WORDS: readonly string[] = [
  ...[
    "object",
    "object.list",
    "object.text",
    "x",
    "true",
    "false",
    "null",
    "1",
    "-1",
    "2u",
    "1.5",
    "'a'",
    "b'z'",
  ],
  ...["(", ")", "[", "]", "{", "}", ",", ":", ".", ".?", "[?", "?", "!", "-", "+", "*", "/", "%", "in"],
  ...["&&", "||", "==", "!=", "<", "<=", ">", ">=", ".all(x, ", ".exists(x, ", ".map(x, ", ".filter(x, "],
  ...["has(", "size(", "string(", "int(", "type(", "dyn(", "matches(", "optional.of(", "cel.bind(x, "],
  ...[
    ".size()",
    ".format([",
    ".optMap(x, ",
    ".transformList(i, x, ",
    "__proto__",
    "constructor",
    "'''",
    '"',
    "\\",
  ],
  ...[
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "duration('1h')",
    "timestamp(0)",
    "//",
    "`",
    "é",
    "\u{1F600}",
  ],
];

const LEAVES: readonly string[] = [
  ...[
    "object",
    "object.list",
    "object.text",
    "object.number",
    "object.real",
    "object.spec",
    "object.metadata.labels",
  ],
  ...[
    "true",
    "false",
    "null",
    "0",
    "1",
    "-1",
    "7u",
    "2.5",
    "'a'",
    "'héllo'",
    "b'a'",
    "[]",
    "{}",
    "x",
    "int",
    "string",
  ],
  ...["9223372036854775807", "timestamp(0)", "duration('90s')", "optional.none()", "optional.of(1)", "1e300"],
];
const OPERATORS = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"] as const;
const FIELDS = ["a", "spec", "replicas", "constructor", "__proto__", "labels", "length"] as const;
const FUNCTIONS = [
  ...["size", "string", "int", "uint", "double", "bool", "bytes", "type", "dyn", "duration", "timestamp"],
  ...[
    "optional.of",
    "optional.ofNonZeroValue",
    "math.abs",
    "math.ceil",
    "strings.quote",
    "lists.range",
    "base64.encode",
  ],
] as const;
const METHODS = [
  ...[
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "split",
    "indexOf",
    "charAt",
    "join",
    "format",
    "or",
    "orValue",
  ],
  ...["getHours", "substring", "flatten", "size", "replace"],
] as const;
const MACROS = ["all", "exists", "exists_one", "map", "filter", "optMap", "optFlatMap", "sortBy"] as const;

/** JSON with what breaks careless code: odd keys, deep nesting, long texts. */
function hostileObject(): CelValue {
  let deep: CelValue = 1;
  for (let i = 0; i < 2000; i++) deep = [deep];
  return JSON.parse(
    `{"__proto__": {"polluted": true}, "constructor": "c", "spec": {"replicas": 3, "containers": [{"name": "a"},
      {"securityContext": {"privileged": true}}]}, "metadata": {"labels": {"app": "web", "toString": "t"}},
      "list": [1, 2, 3, null, "x", 4.5], "text": "héllo \u{1F600}", "number": 7, "real": 7.25, "none": null,
      "long": "${"a".repeat(3000)}", "deep": ${JSON.stringify(deep)}}`,
  );
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class Generator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  expression(): string {
    switch (this.below(6)) {
      case 0:
        return Array.from({ length: this.below(60) }, () => String.fromCharCode(this.below(300))).join("");
      case 1:
        return Array.from({ length: 1 + this.below(25) }, () => this.pick(WORDS)).join(
          this.below(2) === 0 ? "" : " ",
        );
      case 2:
      case 3:
        return this.mutated();
      default:
        return this.wellFormed(4);
    }
  }

  /** An expression that parses, of any types. */
  wellFormed(depth: number): string {
    if (depth === 0) return this.pick(LEAVES);
    const part = (): string => this.wellFormed(depth - 1 - this.below(depth));
    const forms = [
      () => `(${part()} ${this.pick(OPERATORS)} ${part()})`,
      () => `${part()}.${this.pick(FIELDS)}`,
      () => `${part()}[${part()}]`,
      () => `${part()}.?${this.pick(FIELDS)}`,
      () => `(${part()} ? ${part()} : ${part()})`,
      () => `${this.pick(FUNCTIONS)}(${part()})`,
      () => `${part()}.${this.pick(METHODS)}(${part()})`,
      () => `${part()}.${this.pick(MACROS)}(x, ${part()})`,
      () => `${part()}.${this.pick(["all", "transformList", "transformMap", "existsOne"])}(i, x, ${part()})`,
      () => `[${part()}, ${part()}]`,
      () => `{${part()}: ${part()}, 'k': ${part()}}`,
      () => `!${part()}`,
      () => `has(${part()}.${this.pick(FIELDS)})`,
    ];
    return this.pick(forms)();
  }

  mutated(): string {
    let text = this.pick(CORPUS);
    for (let i = this.below(4); i >= 0; i--) {
      const at = this.below(text.length + 1);
      const end = Math.min(text.length, at + this.below(12));
      const middle = [
        () => this.pick(WORDS),
        () => "",
        () => text.slice(at, end).repeat(2),
        () => this.pick(CORPUS),
        () => this.pick(["[", "(", "-", "!", "a.", "1+", "[1]+"]).repeat(this.below(400)),
      ];
      text = text.slice(0, at) + this.pick(middle)() + text.slice(end);
    }
    return text;
  }
}

const environment = new CelEnvironment({
  variables: [{ name: "object", type: DYN }],
  libraries: [
    optionalsLibrary,
    twoVariableLibrary,
    bindingsLibrary,
    stringsLibrary(),
    mathLibrary,
    encodersLibrary,
    listsLibrary,
  ],
  optionalSyntax: true,
  identEscapeSyntax: true,
  crossTypeNumericComparisons: true,
  homogeneousLiterals: SEED % 2 === 1,
});

type Stage = "refused" | "failed" | "evaluated";

function run(expression: string, object: CelValue, isChecked: boolean): Stage {
  let program: ReturnType<typeof compile>;
  try {
    const ast = environment.parse(expression);
    program = compile(isChecked ? check(ast, environment) : ast, environment);
  } catch (error) {
    if (error instanceof CelError) return "refused";
    throw error;
  }
  const { error } = program.tryEvaluate(bindings({ object }), { costLimit: 100_000 });
  if (error === undefined) return "evaluated";
  if (error instanceof CelError || error instanceof CelAbort) return "failed";
  throw error;
}

describe("hostile expressions and objects", () => {
  it(`end in a value or a clear error, ${CASES} times from seed ${SEED}`, {
    timeout: 60_000 + CASES * 20,
  }, () => {
    const generator = new Generator(SEED);
    const object = hostileObject();
    const stages = { refused: 0, failed: 0, evaluated: 0 };
    for (let i = 0; i < CASES; i++) {
      const expression = generator.expression();
      const started = process.cpuUsage();
      try {
        stages[run(expression, object, i % 3 !== 0)]++;
      } catch (error) {
        throw new Error(`case ${i}: ${JSON.stringify(expression)}`, { cause: error });
      }
      const { user, system } = process.cpuUsage(started);
      expect((user + system) / 1000, `case ${i}: ${JSON.stringify(expression)}`).toBeLessThan(MAX_MS);
    }
    console.log(`cel fuzz: ${CASES} cases, ${JSON.stringify(stages)}`);
    expect(stages.evaluated).toBeGreaterThan(CASES / 40);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it.each([
    ["parentheses", `${"(".repeat(20_000)}1${")".repeat(20_000)}`],
    ["lists", `${"[".repeat(40_000)}${"]".repeat(40_000)}`],
    ["negations", `${"!".repeat(90_000)}true`],
    ["minus signs", `${"-".repeat(90_001)}1`],
    ["sums", `1${"+1".repeat(40_000)}`],
    ["selections", `object${".a".repeat(40_000)}`],
    ["conditionals", `${"true?1:".repeat(10_000)}1`],
    ["optional maps", `optional.of(1)${".optMap(x, x)".repeat(200)}`],
    ["conjunctions", `true${"&&true".repeat(16_000)}`],
    ["digits", "9".repeat(99_000)],
    ["a string", `'${"\\u0041".repeat(16_000)}'`],
    ["too long a text", " ".repeat(100_001)],
  ])("does not run away on %s without end", (_name, expression) => {
    const started = process.cpuUsage();
    run(expression, null, true);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1000).toBeLessThan(MAX_MS);
  });

  it("stops lists that double themselves", () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `cel.bind(v${i + 1}, v${i} + v${i}, `).join("");
    const program = compile(
      environment.parse(`cel.bind(v0, [1], ${doubling}v60${")".repeat(61)}`),
      environment,
    );
    expect(() => program.evaluate(bindings({}))).toThrow("list of more than");
  });

  it("compares values nested without end with an error", () => {
    const program = compile(environment.parse("object.deep == object.deeper"), environment);
    const nested = (): CelValue => {
      let value: CelValue = 1;
      for (let i = 0; i < 5000; i++) value = [value];
      return value;
    };
    expect(() => program.evaluate(bindings({ object: { deep: nested(), deeper: nested() } }))).toThrow(
      CelError,
    );
  });
});
