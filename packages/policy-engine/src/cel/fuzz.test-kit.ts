/** Expressions drawn by lot, hostile JSON, and what an expression must end in, for tests of CEL. */

import type { FuzzTarget } from "../../testing/fuzz.ts";
import { Random } from "../../testing/random.ts";
import {
  type Ast,
  bindingsLibrary,
  CelEnvironment,
  CelError,
  type CelValue,
  check,
  DYN,
  encodersLibrary,
  INT,
  listsLibrary,
  mathLibrary,
  optionalsLibrary,
  stringsLibrary,
  twoVariableLibrary,
} from "./index.ts";
import { tokenize } from "./lexer.ts";

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
export function hostileObject(): CelValue {
  let deep: CelValue = 1;
  for (let i = 0; i < 2000; i++) deep = [deep];
  return JSON.parse(
    `{"__proto__": {"polluted": true}, "constructor": "c", "spec": {"replicas": 3, "containers": [{"name": "a"},
      {"securityContext": {"privileged": true}}]}, "metadata": {"labels": {"app": "web", "toString": "t"}},
      "list": [1, 2, 3, null, "x", 4.5], "text": "héllo \u{1F600}", "number": 7, "real": 7.25, "none": null,
      "long": "${"a".repeat(3000)}", "deep": ${JSON.stringify(deep)}}`,
  );
}

/** Texts that a front end should survive, from noise to well-formed. */
export class ExpressionGenerator extends Random {
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

  /** As `expression`, but short, so that millions of them can be tried. */
  shortExpression(): string {
    if (this.chance(0.25)) return this.wellFormed(2);
    const corpus = this.pick(CORPUS);
    const from = this.chance(0.5) ? 0 : this.below(corpus.length);
    let text = corpus.slice(from, from + 8 + this.below(50));
    for (let times = this.below(4); times > 0; times--) {
      const at = this.below(text.length + 1);
      const piece = this.chance(0.8) ? this.pick(WORDS) : String.fromCharCode(this.below(300));
      text = text.slice(0, at) + piece + text.slice(at + this.below(4));
    }
    return text;
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

/** @param knowsX declares the variable that expressions drawn by lot use outside of macros, so that more of them check. */
export function fuzzEnvironment(homogeneousLiterals: boolean, knowsX = false): CelEnvironment {
  return new CelEnvironment({
    variables: [{ name: "object", type: DYN }, ...(knowsX ? [{ name: "x", type: INT }] : [])],
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
    homogeneousLiterals,
  });
}

/** Tokens lie one behind the other, are what is written there, and end where the text ends or is faulty. */
export const lexerTarget: FuzzTarget = {
  name: "CEL lexer",
  run(seed) {
    const text = new ExpressionGenerator(seed).shortExpression();
    let at = 0;
    for (const token of tokenize(text)) {
      if (token.at < at || (token.kind !== "end" && !text.startsWith(token.text, token.at)))
        throw new Error(`token ${JSON.stringify(token)} of ${JSON.stringify(text)}`);
      if (token.kind === "faulty") return "faulty";
      at = token.kind === "end" ? token.at : token.at + token.text.length;
    }
    if (at !== text.length) throw new Error(`the tokens of ${JSON.stringify(text)} end at ${at}`);
    return "tokens";
  },
};

const parserEnvironment = fuzzEnvironment(false);

function celOutcome(text: string, work: () => unknown, done: string): string {
  try {
    work();
    return done;
  } catch (error) {
    if (error instanceof CelError) return "refused";
    throw new Error(JSON.stringify(text), { cause: error });
  }
}

export const parserTarget: FuzzTarget = {
  name: "CEL parser",
  run(seed) {
    const text = new ExpressionGenerator(seed).shortExpression();
    return celOutcome(text, () => parserEnvironment.parse(text), "parsed");
  },
};

const checkerEnvironments = [fuzzEnvironment(false, true), fuzzEnvironment(true, true)] as const;

/** Draws until something parses, so that each case is one of the checker. */
export const checkerTarget: FuzzTarget = {
  name: "CEL checker",
  run(seed) {
    const generator = new ExpressionGenerator(seed);
    const environment = checkerEnvironments[seed % 2 === 0 ? 0 : 1];
    for (;;) {
      const text = generator.chance(0.8) ? generator.wellFormed(2) : generator.shortExpression();
      let ast: Ast | undefined;
      if (celOutcome(text, () => (ast = environment.parse(text)), "parsed") === "refused") continue;
      return celOutcome(text, () => ast && check(ast, environment), "checked");
    }
  },
};
