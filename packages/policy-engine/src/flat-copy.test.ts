import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { parseQuantity } from "./cel/kubernetes/resource-quantity.ts";
import { compileRegex } from "./cel/standard/regex.ts";
import { flatCopy } from "./flat-copy.ts";
import { callWith, testContext } from "./rego/builtins/builtins.test-kit.ts";
import type { HttpCall, HttpResponse } from "./rego/calls/call.ts";
import { BoundedCache } from "./rego/evaluate/bounded-cache.ts";
import { KeptAnswers } from "./rego/http-client/kept.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const texts = 24;
const longLength = 1_000_000;

/** What a rule cuts from an object: the beginning of one of its texts. */
function cutFromObject(beginning: string): string {
  const { text } = JSON.parse(JSON.stringify({ text: beginning + "x".repeat(longLength) })) as {
    text: string;
  };
  return text.substring(0, beginning.length);
}

/** What stays in memory of the objects whose texts were given to `keep`. */
function keptBytes(keep: (cut: string, index: number) => unknown, beginning: (index: number) => string) {
  const before = heapBytes();
  for (let index = 0; index < texts; index++) keep(cutFromObject(beginning(index)), index);
  return heapBytes() - before;
}

/** Long enough for V8 to make a window of. */
const zones = Intl.supportedValuesOf("timeZone").filter((name) => name.length >= 15);
const cache = new BoundedCache();
const context = testContext({ cache });
const answers = new KeptAnswers();
const response: HttpResponse = {
  status: "200 OK",
  statusCode: 200,
  headers: new Map(),
  body: new Uint8Array(),
};
const schema = (index: number) => `type Query { name${index}: String }`;

describe("what is kept under a text of an object", () => {
  it("shows here that such a text keeps all of what it was cut from", () => {
    const kept: string[] = [];
    expect(
      keptBytes(
        (cut) => kept.push(cut),
        (index) => `a text of its own ${index}`,
      ),
    ).toBeGreaterThan((texts - 2) * longLength);
    expect(kept.length).toBe(texts);
  });

  it.each<[string, (cut: string, index: number) => unknown, (index: number) => string]>([
    ["quantities", (cut) => parseQuantity(cut), (index) => `${10 ** 15 + index}000`],
    ["patterns", (cut) => compileRegex(cut), (index) => `^(?P<named>pattern${10 ** 6 + index})`],
    [
      "patterns of policies in Rego",
      (cut) => callWith(context, "regex.match", cut, "a"),
      (index) => `^(?P<named>pattern${10 ** 6 + index})`,
    ],
    [
      "globs of policies in Rego",
      (cut) => callWith(context, "glob.match", cut, ["."], "a"),
      (index) => `{glob${10 ** 6 + index},another}*`,
    ],
    [
      "zones of policies in Rego",
      (cut) => callWith(context, "time.date", [0, cut]),
      (index) => zones[index] ?? "",
    ],
    ["schemas of policies in Rego", (cut) => callWith(context, "graphql.schema_is_valid", cut), schema],
    [
      "schemas that queries are held against",
      (cut) => callWith(context, "graphql.is_valid", "{ __typename }", cut),
      (index) => `type Query { another${index}: String }`,
    ],
    [
      "keys of tokens",
      (cut) => callWith(context, "io.jwt.verify_rs256", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", cut),
      (index) => `{"keys": [{"kty": "oct", "kid": "a key of many ${index}", "k": "AAAA"}]}`,
    ],
    [
      "answers of hosts",
      (cut) => answers.keep({ ...({} as HttpCall), key: cut, keep: { ms: 1_000 } }, response, 0),
      (index) => `["a call of many",${index}]`,
    ],
  ])("keeps nothing else of the object: %s", (_, keep, beginning) => {
    keep(cutFromObject(beginning(texts)), texts);
    expect(keptBytes(keep, beginning)).toBeLessThan(4 * longLength);
  });

  it("is the same text, whatever is in it", () => {
    for (const text of ["", "a", 'ā\u2028\u0000"\\', "\ud800", "😀".repeat(20)])
      expect(flatCopy(text)).toBe(text);
  });
});
