/**
 * gqlparser's own cases, read from its published module: what its parsers and its check of schemas refuse is refused
 * here at the same place in the same words, and what they take is taken.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { publishedFile } from "@shieldx/e2e/cluster/build";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { call } from "./builtins.test-kit.ts";
import { BuiltinError } from "./contract.ts";

const gqlparser = {
  path: "github.com/vektah/gqlparser/v2",
  version: "v2.5.64",
  sum: "h1:N32yM6hQ6Kd5RdjCCEJsUrbCebVoA9yLLMOIa88Mkk0=",
} as const;

interface Case {
  readonly name: string;
  readonly input: string;
  readonly error?: {
    readonly message: string;
    readonly locations?: readonly { readonly line: number; readonly column: number }[];
  };
}

/** What is wrong with a text; undefined for nothing. */
function refusal(name: string, ...args: string[]): string | undefined {
  try {
    call(name, ...args);
    return undefined;
  } catch (error) {
    if (error instanceof BuiltinError) return error.message;
    throw error;
  }
}

/** Undefined, and said so, where there is no Go to download it with. */
async function publishedFolder(): Promise<string | undefined> {
  try {
    return await publishedFile(gqlparser, ".");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "PREREQUISITE")) throw error;
    console.warn(`SKIPPED: gqlparser's cases need Go: ${error.message}`);
    return undefined;
  }
}

const folder = await publishedFolder();

function casesOf(...path: string[]): Case[] {
  const text = readFileSync(join(folder ?? "", ...path), "utf8");
  return Object.values(parse(text) as Record<string, Case[]>).flat();
}

/** A fault of the text and one of the schema are told in two ways. */
function expected({ error }: Case): readonly (string | undefined)[] {
  if (!error) return [undefined];
  const place = error.locations?.map(({ line, column }) => `${line}:${column}`)[0];
  return [
    `${error.message} in GraphQL string at location ${place}`,
    `Error in gqlparser SchemaDocument to Schema conversion: input:${place}: ${error.message}`,
  ];
}

const others = (cases: readonly Case[], refused: (text: string) => string | undefined) =>
  cases
    .map((each) => ({ name: each.name, want: expected(each), got: refused(each.input) }))
    .filter(({ want, got }) => !want.includes(got));

describe.skipIf(folder === undefined)("gqlparser's cases", () => {
  it.each([
    ["graphql.parse_query", "query_test.yml"],
    ["graphql.parse_schema", "schema_test.yml"],
  ])("come out the same in %s", (name, file) => {
    const cases = casesOf("parser", file);
    expect(others(cases, (text) => refusal(name, text))).toEqual([]);
    expect(cases.length).toBeGreaterThan(30);
  });

  it("come out the same in the check of schemas", () => {
    const cases = casesOf("validator", "schema_test.yml");
    expect(others(cases, (text) => refusal("graphql.parse", "", text))).toEqual([]);
    expect(cases.length).toBeGreaterThan(100);
  });
});
