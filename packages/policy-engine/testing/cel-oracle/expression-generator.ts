/** Composes CEL expressions of a wanted type at random, calling the functions of the catalogue. */
import type { Random } from "../random.ts";
import { functionCatalogue, type Signature, splitTypes } from "./function-catalogue.ts";
import {
  bytesLiterals,
  doubles,
  integers,
  quoted,
  smallIntegers,
  stringPools,
  unsigned,
} from "./literals.ts";

export interface TypedName {
  readonly name: string;
  readonly type: string;
}

export interface ExpressionScope {
  /** Expressions for fields of the object, by the type their value mostly has. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  readonly variables: readonly TypedName[];
  readonly allowAuthorizer: boolean;
}

const byResult = Map.groupBy(functionCatalogue, ({ result }) => result);
const comparable = ["int", "string", "double", "uint", "timestamp", "duration", "bool", "bytes"];
const anyTypes = [
  ...["int", "string", "double", "uint", "bool", "timestamp", "duration", "bytes", "type", "list<int>"],
  ...[
    "list<string>",
    "map<string,int>",
    "ip",
    "cidr",
    "url",
    "quantity",
    "semver",
    "optional<int>",
    "format",
  ],
];
const shown = [
  "int",
  "string",
  "double",
  "uint",
  "bool",
  "timestamp",
  "duration",
  "list<int>",
  "list<string>",
];

export class ExpressionGenerator {
  readonly #random: Random;
  readonly #scope: ExpressionScope;
  readonly #locals: TypedName[] = [];
  #names = 0;
  /** Keys of the catalogue's functions that were used, as often as they were. */
  readonly used: string[] = [];

  constructor(random: Random, scope: ExpressionScope) {
    this.#random = random;
    this.#scope = scope;
  }

  /** An expression of this type; `depth` bounds how far it nests. */
  value(type: string, depth: number): string {
    const at = type.indexOf("@");
    if (at >= 0) return this.#pooled(type.slice(0, at), type.slice(at + 1), depth);
    if (depth <= 0 || this.#random.chance(0.2)) return this.#leaf(type);
    // Hidden from the checker, the type is left to the dispatch at run time: right, or wrong.
    if (this.#random.chance(0.05)) return `dyn(${this.value(type, depth - 1)})`;
    if (this.#random.chance(0.02)) return `dyn(${this.value(this.#random.pick(anyTypes), depth - 1)})`;
    const producers = this.#producers(type, depth);
    return producers.length === 0 ? this.#leaf(type) : this.#random.pick(producers)();
  }

  /** An expression the server takes for a bool: one of unknown type is none (ReturnTypes in plugin/cel/compile.go). */
  condition(depth: number): string {
    const text = this.value("bool", depth);
    const wrap = this.#random.pick(["(?) == true", "true && (?)", "!(?)", "?", "?"]);
    return /^(object|oldObject|params|variables|dyn)\b|\? /.test(text)
      ? `(${text}) == true`
      : wrap.replace("?", () => text);
  }

  call(signature: Signature, depth: number): string {
    this.used.push(signature.key);
    const args = signature.params.map((param) => this.value(param, depth - 1)).join(", ");
    if (signature.receiver === undefined) return `${signature.name}(${args})`;
    return `${this.#receiver(signature.receiver, depth - 1)}.${signature.name}(${args})`;
  }

  /** A text that tells the value of an expression of this type, so that the server's message gives it away. */
  show(type: string, expression: string): string {
    const optional = inner(type, "optional");
    if (optional !== undefined) {
      const name = this.#name();
      return `(${expression}).optMap(${name}, ${this.show(optional, name)}).orValue('none')`;
    }
    const list = inner(type, "list");
    if (list !== undefined && !["int", "string", "double", "uint", "bool"].includes(list)) {
      const name = this.#name();
      return `(${expression}).map(${name}, ${this.show(list, name)}).join('|')`;
    }
    const opaque: Record<string, (text: string) => string> = {
      ip: (e) => `string(${e})`,
      cidr: (e) => `string(${e})`,
      url: (e) => `(${e}).getHost()`,
      quantity: (e) => `string((${e}).asApproximateFloat())`,
      semver: (e) => `string((${e}).major())`,
      format: (e) => this.show("optional<list<string>>", `(${e}).validate('Web_1')`),
      authorizer: (e) => this.show("decision", `(${e}).path('/apis').check('get')`),
      pathCheck: (e) => this.show("decision", `(${e}).check('get')`),
      groupCheck: (e) => this.show("decision", `(${e}).resource('pods').check('get')`),
      resourceCheck: (e) => this.show("decision", `(${e}).check('create')`),
      decision: (e) => `string((${e}).allowed())`,
      string: (e) => `'<' + ${e} + '>'`,
    };
    return Object.hasOwn(opaque, type) ? (opaque[type]?.(expression) ?? "") : `'%s'.format([${expression}])`;
  }

  #pooled(type: string, pool: string, depth: number): string {
    if (type === "int")
      return this.#random.chance(0.2) ? this.value(type, depth) : this.#random.pick(smallIntegers);
    const other = this.#random.chance(0.2);
    const text = other ? this.value(type, depth) : quoted(this.#random.pick(stringPools[pool] ?? [""]), pool);
    // Literals of these are tried when the policy is written; a sum of strings is not.
    const tried = ["duration", "timestamp", "regex", "number", "bool"].includes(pool);
    return tried && this.#random.chance(0.97) ? `(${text} + '')` : text;
  }

  #receiver(type: string, depth: number): string {
    const text = this.value(type, depth);
    return /^[A-Za-z_'[(][\w.']*$/.test(text) && !text.startsWith("-") ? text : `(${text})`;
  }

  #producers(type: string, depth: number): (() => string)[] {
    const producers: (() => string)[] = [];
    const functions = (byResult.get(type) ?? []).filter((signature) => this.#allows(signature));
    if (functions.length > 0) {
      const call = () => this.call(this.#random.pick(functions), depth);
      producers.push(call, call, call);
    }
    producers.push(...this.#operators(type, depth), ...this.#comprehensions(type, depth));
    if (this.#random.chance(0.3)) {
      producers.push(
        () =>
          `(${this.value("bool", depth - 1)} ? ${this.value(type, depth - 1)} : ${this.value(type, depth - 1)})`,
        () => `[${this.#literal(type)}, ${this.#literal(type)}][${this.#random.pick(["0", "1", "1", "2"])}]`,
        () =>
          `{'a': ${this.value(type, depth - 1)}}${this.#random.pick([".a", "['a']", ".b", "[?'a'].value()"])}`,
      );
    }
    return producers;
  }

  #allows(signature: Signature): boolean {
    if (this.#scope.allowAuthorizer) return true;
    return !["authorizer", "pathCheck", "groupCheck", "resourceCheck", "decision"].includes(
      signature.receiver ?? "",
    );
  }

  #operators(type: string, depth: number): (() => string)[] {
    const value = (of: string) => this.value(of, depth - 1);
    const binary = (of: string, operators: readonly string[]) => () =>
      `(${value(of)} ${this.#random.pick(operators)} ${value(of)})`;
    switch (type) {
      case "bool":
        return this.#boolOperators(depth);
      case "int":
        return [binary("int", ["+", "-", "*", "/", "%"]), () => `-(${value("int")})`];
      case "uint":
        return [binary("uint", ["+", "-", "*", "/", "%"])];
      case "double":
        return [binary("double", ["+", "-", "*", "/"]), () => `-(${value("double")})`];
      case "string":
        // Twice, for there are many verbs.
        return [
          binary("string", ["+"]),
          () => this.#format(depth),
          () => this.#format(depth),
          () => this.#shown(depth),
        ];
      case "bytes":
        return [binary("bytes", ["+"])];
      case "duration":
        return [binary("duration", ["+", "-"]), () => `(${value("timestamp")} - ${value("timestamp")})`];
      case "timestamp":
        return [() => `(${value("timestamp")} ${this.#random.pick(["+", "-"])} ${value("duration")})`];
      default:
        return type.startsWith("list<") ? [binary(type, ["+"])] : [];
    }
  }

  #boolOperators(depth: number): (() => string)[] {
    const value = (of: string) => this.value(of, depth - 1);
    const compare = () => {
      const of = this.#random.pick(comparable);
      const operators = ["==", "!=", "<", "<=", ">", ">="];
      return `${value(of)} ${this.#random.pick(operators)} ${value(of)}`;
    };
    const mixed = () => {
      const numbers = ["int", "uint", "double"];
      return `${value(this.#random.pick(numbers))} ${this.#random.pick(["<", ">=", ">", "<="])} ${value(this.#random.pick(numbers))}`;
    };
    return [
      () => `(${compare()})`,
      () => `(${mixed()})`,
      () => `(${value("bool")} ${this.#random.pick(["&&", "||"])} ${value("bool")})`,
      () => `!(${value("bool")})`,
      () => `(${value("string")} in ${value("list<string>")})`,
      () => `(${value("string")} in ${value("map<string,int>")})`,
      () => `has(${this.#random.pick(this.#fields())})`,
      () =>
        `(type(${this.#random.pick(this.#fields())}) == ${this.#random.pick(["string", "int", "map", "list"])})`,
    ];
  }

  #comprehensions(type: string, depth: number): (() => string)[] {
    const each = (element: string, body: (name: string) => string) => this.#within(element, body);
    const list = (of: string) => this.#receiver(`list<${of}>`, depth - 1);
    const count = (key: string, text: () => string) => () => {
      this.used.push(`macros: ${key}`);
      return text();
    };
    const of = this.#random.pick(["int", "string"]);
    const bool = (name: string) => `${name}, ${this.value("bool", depth - 1)}`;
    const quantifiers = ["all", "exists", "exists_one"] as const;
    if (type === "bool")
      return [
        ...quantifiers.map((macro) => count(macro, () => `${list(of)}.${macro}(${each(of, bool)})`)),
        ...(["all", "exists", "existsOne"] as const).map((macro) =>
          count(`${macro}/2`, () => `${list(of)}.${macro}(${this.#pair(depth, of, "bool")})`),
        ),
        count("all on a map", () => `{'a': 1, 'b': 2}.all(${each("string", bool)})`),
      ];
    const optional = inner(type, "optional");
    if (optional !== undefined)
      return [
        count(
          "optMap",
          () =>
            `optional.of(${this.value(of, depth - 1)}).optMap(${each(of, (n) => `${n}, ${this.value(optional, depth - 1)}`)})`,
        ),
        count(
          "optFlatMap",
          () =>
            `optional.of(${this.value(of, depth - 1)}).optFlatMap(${each(of, (n) => `${n}, ${this.value(type, depth - 1)}`)})`,
        ),
      ];
    const element = inner(type, "list");
    if (element !== undefined)
      return [
        count("map", () => `${list(of)}.map(${each(of, (n) => `${n}, ${this.value(element, depth - 1)}`)})`),
        count(
          "map with filter",
          () =>
            `${list(of)}.map(${each(of, (n) => `${n}, ${this.value("bool", depth - 1)}, ${this.value(element, depth - 1)}`)})`,
        ),
        count("filter", () => `${list(element)}.filter(${each(element, bool)})`),
        count("transformList", () => `${list(of)}.transformList(${this.#pair(depth, of, element)})`),
        count(
          "sortBy",
          () => `${list(element)}.sortBy(${each(element, (n) => `${n}, ${this.value("int", depth - 2)}`)})`,
        ),
      ];
    if (type === "map<string,int>")
      return [
        count(
          "transformMap",
          () => `{'a': 1, 'b': 2}.transformMap(${this.#pair(depth, "int", "int", "string")})`,
        ),
        count("transformMapEntry", () => `${list("string")}.transformMapEntry(${this.#entry(depth)})`),
      ];
    return [];
  }

  #pair(depth: number, element: string, result: string, key = "int"): string {
    return this.#within(key, (first) =>
      this.#within(element, (second) => `${first}, ${second}, ${this.value(result, depth - 1)}`),
    );
  }

  #entry(depth: number): string {
    return this.#within("int", (index) =>
      this.#within("string", (item) => `${index}, ${item}, {${item}: ${this.value("int", depth - 1)}}`),
    );
  }

  #within(type: string, body: (name: string) => string): string {
    const name = this.#name();
    this.#locals.push({ name, type });
    const text = body(name);
    this.#locals.pop();
    return text;
  }

  #name(): string {
    return `v${this.#names++}`;
  }

  #format(depth: number): string {
    const [verb, type] = this.#random.pick([
      ["%s", this.#random.pick(shown)],
      ["%d", "int"],
      ["%d", "uint"],
      ["%x", "int"],
      ["%X", "string"],
      ["%b", "int"],
      ["%o", "int"],
      ["%f", "double"],
      ["%.2f", "double"],
      ["%.3e", "double"],
      ["%e", "double"],
    ] as const);
    this.used.push(`strings: format ${verb}`);
    return `'[${verb}]'.format([${this.value(type, depth - 1)}])`;
  }

  #shown(depth: number): string {
    const type = this.#random.pick(shown);
    return this.show(type, this.value(type, depth - 1));
  }

  #fields(): readonly string[] {
    return Object.values(this.#scope.paths)
      .flat()
      .filter((path) => /^object\.[\w.]+\w$/.test(path));
  }

  #leaf(type: string): string {
    const named = [...this.#locals, ...this.#scope.variables].filter((known) => known.type === type);
    if (named.length > 0 && this.#random.chance(0.4)) return this.#random.pick(named).name;
    const paths = Object.hasOwn(this.#scope.paths, type) ? (this.#scope.paths[type] ?? []) : [];
    if (paths.length > 0 && this.#random.chance(0.35)) return this.#random.pick(paths);
    if (this.#random.chance(0.03)) return this.#random.pick(this.#fields());
    return this.#literal(type);
  }

  #literal(type: string): string {
    const list = inner(type, "list");
    if (list !== undefined) {
      const size = this.#random.pick([0, 1, 2, 3]);
      return `[${this.#alike(list, size).join(", ")}]`;
    }
    const optional = inner(type, "optional");
    if (optional !== undefined)
      return this.#random.chance(0.75) ? `optional.of(${this.#leaf(optional)})` : "optional.none()";
    const map = inner(type, "map");
    if (map !== undefined) {
      const [key = "string", value = "int"] = splitTypes(map);
      return `{${this.#literal(key)}: ${this.#leaf(value)}}`;
    }
    return this.#simple(type);
  }

  /** Elements of a list literal: all of them of unknown type, or none, or the server takes it for a mixed list. */
  #alike(type: string, size: number): string[] {
    const paths = (this.#scope.paths[type] ?? []).filter((path) => /^object\.[\w.]+$/.test(path));
    if (paths.length > 0 && this.#random.chance(0.3))
      return Array.from({ length: size }, () => this.#random.pick(paths));
    return Array.from({ length: size }, () => this.#literal(type));
  }

  #simple(type: string): string {
    const pooled = (pool: string) => this.#pooled("string", pool, 0);
    const literals: Record<string, () => string> = {
      bool: () => this.#random.pick(["true", "false"]),
      int: () => this.#random.pick(integers),
      uint: () => this.#random.pick(unsigned),
      double: () => this.#random.pick(doubles),
      string: () => quoted(this.#random.pick(stringPools.plain ?? []), "plain"),
      bytes: () => this.#random.pick(bytesLiterals),
      duration: () => `duration(${pooled("duration")})`,
      timestamp: () => `timestamp(${pooled("timestamp")})`,
      type: () => this.#random.pick(["int", "string", "type(1.5)", "list", "map", "bool", "type(null)"]),
      ip: () => `ip(${pooled("ip")})`,
      cidr: () => `cidr(${pooled("cidr")})`,
      url: () => `url(${pooled("url")})`,
      quantity: () => `quantity(${pooled("quantity")})`,
      semver: () => `semver(${pooled("semver")})`,
      format: () => "format.dns1123Label()",
      authorizer: () => "authorizer",
      pathCheck: () => `authorizer.path('/apis')`,
      groupCheck: () => `authorizer.group(${pooled("group")})`,
      resourceCheck: () =>
        this.#random.pick(["authorizer.requestResource", "authorizer.group('').resource('pods')"]),
      decision: () =>
        this.#random.pick([
          "authorizer.requestResource.check('create')",
          "authorizer.serviceAccount('default', 'default').group('').resource('secrets').namespace('default').check('get')",
        ]),
    };
    return (Object.hasOwn(literals, type) ? literals[type]?.() : undefined) ?? "null";
  }
}

/** What stands between the brackets of `outer<…>`. */
export function inner(type: string, outer: string): string | undefined {
  return type.startsWith(`${outer}<`) ? type.slice(outer.length + 1, -1) : undefined;
}
