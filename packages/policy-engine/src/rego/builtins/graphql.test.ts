import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactJson, toJson } from "../json.ts";
import type { PlainObject, RegoValue } from "../values.ts";
import { call, callWith, testContext } from "./builtins.test-kit.ts";
import { BuiltinError, EvaluationError } from "./contract.ts";

const numRuns = Number(process.env.SHIELDX_FUZZ_CASES ?? 300);
const seed = Number(process.env.SHIELDX_SEED ?? 20_261_129);

const schema = `
  "Where reading begins"
  type Query { hero(episode: Episode! = JEDI): Character, search(by: By!): [Hit!], count: Int }
  type Mutation { rename(id: ID!, to: String!): Character }
  interface Character { name: String! }
  type Human implements Character { name: String!, height: Float }
  type Droid implements Character { name: String!, task: String }
  union Hit = Human | Droid
  enum Episode { NEWHOPE, JEDI }
  input By @oneOf { id: ID, name: String }
`;
const valid = (query: RegoValue) => call("graphql.is_valid", query, schema);
const refusal = (query: RegoValue, by: RegoValue = schema) => {
  try {
    call("graphql.parse", query, by);
  } catch (error) {
    if (error instanceof BuiltinError) return error.message;
    throw error;
  }
  return undefined;
};
const repeat = (count: number, part: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => part(at)).join(" ");

describe("graphql.parse_query", () => {
  it("gives gqlparser's tree, comments where it keeps them", () => {
    expect(
      call(
        "graphql.parse_query",
        `# of the operation
        query Q($v: [Int!] = [1]) @d {
          # of the field
          a: b(x: {y: $v}) { ...F ... on T { c } }
        }`,
      ),
    ).toEqual({
      Operations: [
        {
          Comment: { List: [{ Value: "# of the operation" }] },
          Description: "",
          Name: "Q",
          Operation: "query",
          Directives: [{ Name: "d", Location: "" }],
          VariableDefinitions: [
            {
              Description: "",
              Variable: "v",
              Used: false,
              Type: { NamedType: "", NonNull: false, Elem: { NamedType: "Int", NonNull: true } },
              DefaultValue: {
                Raw: "",
                Kind: 8,
                ExpectedTypeHasDefault: false,
                Children: [{ Name: "", Value: { Raw: "1", Kind: 1, ExpectedTypeHasDefault: false } }],
              },
            },
          ],
          SelectionSet: [
            {
              Comment: { List: [{ Value: "# of the field" }] },
              Alias: "a",
              Name: "b",
              Arguments: [
                {
                  Name: "x",
                  Value: {
                    Raw: "",
                    Kind: 9,
                    ExpectedTypeHasDefault: false,
                    Children: [{ Name: "y", Value: { Raw: "v", Kind: 0, ExpectedTypeHasDefault: false } }],
                  },
                },
              ],
              SelectionSet: [
                { Name: "F" },
                { TypeCondition: "T", SelectionSet: [{ Alias: "c", Name: "c" }] },
              ],
            },
          ],
        },
      ],
    });
  });

  it("takes an empty document", () => {
    expect(call("graphql.parse_query", "")).toEqual({});
  });

  it.each([
    ["{", "Expected Name, found <EOF> in GraphQL string at location 1:2"],
    ["{ é }", "Expected Name, found <Invalid> in GraphQL string at location 1:3"],
    ['{ a(b: "𝄞") } x', 'Unexpected Name "x" in GraphQL string at location 1:15'],
    ["type A { b: C }", 'Unexpected Name "type" in GraphQL string at location 1:1'],
    ['"d" { a }', 'Unexpected String "d" in GraphQL string at location 1:2'],
  ])("refuses %j in gqlparser's words", (text, message) => {
    expect(() => call("graphql.parse_query", text)).toThrow(message);
  });

  it.each<[RegoValue, string]>([
    [1, "operand 1 must be string but got number"],
    ["{a".repeat(300), "a GraphQL document may nest at most 200 levels deep"],
    [`{${repeat(10_001, () => "a")}}`, "a GraphQL query may have at most 10000 tokens"],
    [`{${"a".repeat(101)}}`, "a GraphQL name may have at most 100 characters"],
    [" ".repeat(1024 * 1024 + 1), "a GraphQL document may have at most 1048576 characters"],
  ])("bounds what it reads (%#)", (text, message) => {
    expect(() => call("graphql.parse_query", text)).toThrow(message);
  });
});

describe("graphql.parse", () => {
  it("gives both trees, of text or of trees", () => {
    const query = "query Q($e: Episode!) { hero(episode: $e) { name } count }";
    const trees = call("graphql.parse", query, schema) as readonly PlainObject[];
    expect(trees).toEqual([call("graphql.parse_query", query), call("graphql.parse_schema", schema)]);
    expect(call("graphql.parse", trees[0]!, trees[1]!)).toEqual(trees);
    expect(call("graphql.parse_and_verify", trees[0]!, trees[1]!)).toEqual([true, ...trees]);
    expect(call("graphql.parse_and_verify", "{ nothing }", schema)).toEqual([false, {}, {}]);
  });

  it.each([
    ["{ qqqqqqqqq }", 'Cannot query field "qqqqqqqqq" on type "Query" in GraphQL string at location 1:3'],
    ["subscription { a }", 'Schema does not support operation type "subscription"'],
    ["mutation { rename(id: 1) { name } }", '"to" of type "String!" is required'],
    ['{ search(by: {id: 1, name: "a"}) { __typename } }', "must specify exactly one key"],
    ["{ count count: __typename }", '"count" conflict'],
    ["{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }", "depth exceeded"],
  ])("refuses %s", (query, message) => {
    expect(refusal(query)).toContain(message);
  });

  it("names operands from 0, as OPA", () => {
    expect(refusal(1)).toBe("operand 0 must be one of {string, object} but got number");
    expect(refusal("{ count }", null)).toBe("operand 1 must be one of {string, object} but got null");
  });

  it("takes what has a default as optional, and @defer as known", () => {
    expect(valid("{ hero { name ... @defer { name } } }")).toBe(true);
    expect(valid("query ($e: Episode) { hero(episode: $e) { name } }")).toBe(true);
    expect(valid("{ hero(episode: null) { name } }")).toBe(false);
  });

  it("takes whatever stands in a selection set given as a value for a field, as OPA", () => {
    const tree = call("graphql.parse_query", "{ hero { ... on Human { height } } }") ?? null;
    expect(refusal(tree)).toBe('GraphQL parse error: input: Cannot query field "" on type "Character".');
  });

  it("refuses values that are no trees", () => {
    expect(refusal({ Operations: 1 })).toBe(
      "json: cannot unmarshal number into field Operations of type list",
    );
    expect(refusal({}, { Definitions: [{ Kind: "__proto__", Name: "A" }] })).toBe(
      'unknown kind of type "__proto__"',
    );
  });
});

describe("graphql.schema_is_valid", () => {
  it.each([
    ["type A", "1:6: OBJECT A: must define one or more fields."],
    ["type A { a: B }", "1:13: Undefined type B."],
    ["type A { a: Int, a: Int }", "1:18: Field A.a can only be defined once."],
    ["type A { a: Int } type A { b: Int }", "1:24: Cannot redeclare type A."],
    ["type __A { a: Int }", 'Name "__A" must not begin with "__"'],
    ["type A { a: Int @none }", "Undefined directive none."],
    ["enum A { true }", "ENUM A: non-enum value true."],
    ["input A { a: B! } input B { b: A! }", 'Input Object "A" within itself through a series'],
    ["interface I { a: Int! } type A implements I { a: Int }", "the field a must have type Int!."],
    ["extend schema { query: A }", "Schema root query refers to a type A that does not exist."],
    ["scalar Query", "Query root type must be Object type, it cannot be Query."],
  ])("refuses %s", (text, message) => {
    expect(refusal("", text)).toContain(message);
    expect(call("graphql.schema_is_valid", text)).toBe(false);
  });

  it.each([
    "",
    "input A { a: A = {} }",
    "extend type A { a: Int }",
    "type constructor { toString: constructor } enum hasOwnProperty { valueOf }",
    "directive @skip(if: String) on FIELD",
    `${repeat(3_000, (at) => `input T${at} { a: T${at + 1}! }`)} input T3000 { a: Int }`,
  ])("takes a schema (%#)", (text) => {
    expect(call("graphql.schema_is_valid", text)).toBe(true);
  });
});

describe("a hostile query", () => {
  const budgeted = (limit: number) => {
    let spent = 0;
    return testContext({
      spend: (units) => {
        spent += units;
        if (spent > limit) throw new EvaluationError("eval_cancel_error", "out of work");
      },
    });
  };

  it.each([
    ["fields of one name", `{${repeat(9_000, () => "count")}}`],
    ["fields with arguments", `{${repeat(900, () => "hero(episode: JEDI) { name }")}}`],
  ])("is stopped before its %s are compared", (_, query) => {
    expect(() => callWith(budgeted(5_000_000), "graphql.is_valid", query, schema)).toThrow("out of work");
  });

  it("has each fragment looked at once", () => {
    const chain = repeat(400, (at) => `fragment f${at} on __Schema {...f${at + 1} ...f${at + 1}}`);
    const query = `{__schema{...f0}} ${chain} fragment f400 on __Schema {description}`;
    expect(callWith(budgeted(5_000_000), "graphql.is_valid", query, schema)).toBe(true);
  });

  const pieces = (text: string) => text.match(/\w+|"|\.\.\.|[^\s\w]/g) ?? [];
  const words = fc.constantFrom(
    ...pieces(schema),
    ...pieces(
      "query Q($v: [Int!] = -1.5e3) @skip(if: true) { a: b(x: {y: $v}) { ...F ... on Human { name } } }",
    ),
    ...pieces('fragment mutation subscription extend schema directive repeatable """ # null \\u{1F600}'),
    "__proto__",
    "constructor",
    "é",
    "\u0000",
    "\ud800",
    "\r\n",
  );
  const documents = fc.array(words, { maxLength: 40 }).map((parts) => parts.join(" "));
  /** A right document with a few words of it changed: most others end at their first word. */
  const nearly = (text: string) =>
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1), words), { maxLength: 3 }).map((changes) => {
      const parts = pieces(text);
      for (const [at, removed, word] of changes) parts.splice(at % (parts.length + 1), removed, word);
      return parts.join(" ");
    });
  const anything = fc.oneof(documents, nearly(schema), nearly("{ hero { name ... on Human { height } } }"));

  /** The value, or undefined for a refusal; another error is a fault. */
  const answer = (name: string, ...args: RegoValue[]) => {
    try {
      return callWith(budgeted(5_000_000), name, ...args);
    } catch (error) {
      if (error instanceof BuiltinError || error instanceof EvaluationError) return undefined;
      throw error;
    }
  };

  it("is parsed or refused, and its tree is the same when read again", { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(anything, anything, (first, second) => {
        const query = answer("graphql.parse_query", first);
        const found = answer("graphql.parse_schema", second);
        answer("graphql.is_valid", first, schema);
        const isValid = answer("graphql.schema_is_valid", second);
        if (query !== undefined) answer("graphql.parse", query, schema);
        if (found === undefined) return;
        expect(answer("graphql.schema_is_valid", found)).toBe(isValid);
        if (isValid !== true || second.includes("#")) return;
        const again = answer("graphql.parse", "", found) as readonly RegoValue[];
        expect(compactJson(toJson(again[1]!))).toBe(compactJson(toJson(found)));
      }),
      { numRuns, seed },
    );
  });

  it("may be any value", { timeout: 600_000 }, () => {
    const key = fc.constantFrom(
      ...["Operations", "Fragments", "SelectionSet", "Name", "Kind", "Value", "Type", "Elem", "Fields"],
      ...["Definitions", "Extensions", "Directives", "Arguments", "Children", "Raw", "__proto__", "Types"],
    );
    const scalar = fc.constantFrom<RegoValue>(
      "A",
      "OBJECT",
      "query",
      "",
      null,
      true,
      9,
      8,
      -1,
      1.5,
      2n ** 70n,
    );
    const tree = fc.letrec<{ value: RegoValue }>((tie) => ({
      value: fc.oneof(
        { depthSize: "medium" },
        scalar,
        fc.array(tie("value"), { maxLength: 3 }),
        fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
      ),
    })).value;
    fc.assert(
      fc.property(tree, tree, (query, found) => {
        answer("graphql.parse", { Operations: [query] }, schema);
        answer("graphql.parse", query, { Definitions: [found] });
        answer("graphql.schema_is_valid", found);
      }),
      { numRuns, seed },
    );
  });
});
