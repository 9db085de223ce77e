/** The policy that the guide shows for `http.send` is copied, and so must refuse whatever the host answers. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parseAllowedHost } from "../calls/hosts.ts";
import { createRegoCompiler } from "../compiler/index.ts";
import { builtCompiler } from "../compiler.test-kit.ts";
import { compileRequestOf, regoProgram } from "./program.ts";

const wasmFile = await builtCompiler();

/** The module that calls a host, without the indentation it has in the manifest. */
async function moduleOfGuide(): Promise<string> {
  const guide = await readFile(new URL("../../../../../docs/guides/rego.md", import.meta.url), "utf8");
  const [, after = ""] = guide.split("allowedHosts: [oncall.example.com]\n    module: |\n");
  return (after.split("\nYAML\n", 1)[0] ?? "").replaceAll(/^ {6}/gm, "");
}

describe.skipIf(wasmFile === undefined)("the guide's policy about who is on call", () => {
  it.each([
    ["a name of the list", "ann", 200, "application/json", '{"names": ["ann"]}', []],
    ["another name", "bob", 200, "application/json", '{"names": ["ann"]}', ["only who is on call"]],
    ["no JSON", "ann", 500, "text/html", "<h1>oops</h1>", ["no list of names"]],
    ["broken JSON", "ann", 503, "application/json", "{", ["no list of names"]],
    ["an error", "ann", 404, "application/json", '{"error": "not found"}', ["no list of names"]],
    [
      "a list that does not say it is JSON",
      "ann",
      200,
      "text/plain",
      '{"names": ["ann"]}',
      ["no list of names"],
    ],
  ])("judges by %s", async (_, username, statusCode, contentType, body, messages) => {
    const module = await moduleOfGuide();
    const source = { modules: { "policy.rego": module }, version: "v1" as const, callsHosts: true };
    const [outcome] = await createRegoCompiler({ wasmFile: wasmFile ?? "" }).compile([
      compileRequestOf(source),
    ]);
    if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome));
    const headers = new Map([["content-type", [contentType]]]);
    const response = { status: "", statusCode, headers, body: Buffer.from(body) };
    const http = {
      hosts: [parseAllowedHost("oncall.example.com")],
      lookUp: () => ({ kind: "answered", response }) as const,
    };
    const said = regoProgram(outcome.plan, source).evaluate({
      input: { request: { userInfo: { username } } },
      data: undefined,
      context: { nowNs: 0n, http },
    });
    expect(said).toEqual(messages.map((message) => expect.stringContaining(message)));
  });
});
