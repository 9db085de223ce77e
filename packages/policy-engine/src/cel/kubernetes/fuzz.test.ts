import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CelError, CelWorkError } from "../errors.ts";
import { mergeApplyConfiguration } from "./apply-configuration.ts";
import { evaluate } from "./evaluate.test-kit.ts";
import type { Json, JsonRecord } from "./json.ts";
import { applyJsonPatch, type JsonPatchOperation } from "./json-patch.ts";
import { nameFormats } from "./name-formats.ts";
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from "./network-address.ts";
import { compareQuantities, parseQuantity } from "./resource-quantity.ts";
import { parseFieldSelector, parseLabelSelector } from "./selectors.ts";
import { compareVersions, parseLenientVersion, parseVersion } from "./semantic-version.ts";
import { schemaAtom } from "./structural-schema.ts";
import { formatUrl, parseRequestUri, parseUrl } from "./url-parsing.ts";

/** SHIELDX_FUZZ_CASES raises how much is tried, SHIELDX_SEED gives other cases. */
const numRuns = Number(process.env.SHIELDX_FUZZ_CASES ?? 1_000);
const runs = { numRuns, seed: Number(process.env.SHIELDX_SEED ?? 20_260_101) };

/** Any one case takes less than this, on a machine that has other things to do as well. */
const maxCaseMs = 5_000;

function inTime<T>(work: () => T): T {
  const started = performance.now();
  const result = work();
  expect(performance.now() - started).toBeLessThan(maxCaseMs);
  return result;
}

/** What nothing but a CelError may come out of, or the end of an evaluation that would take too long. */
function onlyCelErrors(work: () => unknown): void {
  try {
    inTime(work);
  } catch (error) {
    if (!(error instanceof CelError || error instanceof CelWorkError)) throw error;
  }
}

/** Text made mostly of what a parser looks for, from short to absurd. */
const textOf = (alphabet: string, ...words: string[]) =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .array(fc.constantFrom(...alphabet, ...words), { maxLength: 24 })
        .map((parts) => parts.join("")),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 30 }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...alphabet, ...words), fc.nat(5_000))
        .map(([part, n]) => part.repeat(n)),
    },
  );

const quantityText = textOf(
  "0123456789.+-eE",
  "k",
  "Ki",
  "Mi",
  "Ei",
  "n",
  "u",
  "m",
  "1e9",
  "000",
  "9223372036854775807",
);
const addressText = textOf("0123456789abcdef:.%/", "::", "ffff:", "255.", "/24", "eth0");
const urlText = textOf(":/?#[]@%&=;+. a~é", "http://", "%2F", "%e4", "[::1]", "host", ":80", "user:pw@");
const versionText = textOf("0123456789.-+va", "1.2.3", "-rc.", "+b", "18446744073709551616");
const nameText = textOf(
  "ab01-_./=A é:T",
  "example.com",
  "123e4567-e89b-12d3-a456-426614174000",
  "2021-02-29",
  "YQ==",
);
const selectorText = textOf("ab=!,()<> \\", "in", "notin", "==", "!=", "\0");

describe("parsers of foreign text", () => {
  it("read a quantity or say why not, and order what they read", () => {
    fc.assert(
      fc.property(quantityText, quantityText, (a, b) => {
        const [left, right] = inTime(() => [parseQuantity(a), parseQuantity(b)] as const);
        if ("error" in left || "error" in right) return;
        const order = inTime(() => compareQuantities(left.value, right.value));
        expect(compareQuantities(right.value, left.value)).toBe(0 - order);
        expect(compareQuantities(left.value, left.value)).toBe(0);
      }),
      runs,
    );
  });

  it("read an address or prefix whose text reads as the same", () => {
    fc.assert(
      fc.property(addressText, (text) => {
        const address = inTime(() => parseAddress(text));
        if ("value" in address && address.value.zone === "") {
          expect(parseAddress(formatAddress(address.value))).toEqual(address);
        }
        const prefix = inTime(() => parsePrefix(text));
        if ("value" in prefix) expect(parsePrefix(formatPrefix(prefix.value))).toEqual(prefix);
      }),
      runs,
    );
  });

  it("read a URL whose text, when it has a host, reads as the same", () => {
    fc.assert(
      fc.property(urlText, (text) => {
        const strict = inTime(() => parseRequestUri(text));
        const url = inTime(() => parseUrl(text));
        // Without a host a path may begin with two slashes and, written out, read as one.
        if ("error" in url || "error" in strict || url.value.host === "") return;
        const written = formatUrl(url.value);
        const again = parseUrl(Buffer.from(written, "latin1").toString("utf8"));
        expect("value" in again && formatUrl(again.value)).toBe(written);
      }),
      runs,
    );
  });

  it("read a version or say why not, and order what they read", () => {
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        const [left, right] = inTime(() => [parseVersion(a), parseLenientVersion(b)] as const);
        if ("error" in left || "error" in right) return;
        expect(compareVersions(right.value, left.value)).toBe(0 - compareVersions(left.value, right.value));
      }),
      runs,
    );
  });

  it("check names and selectors", () => {
    fc.assert(
      fc.property(nameText, selectorText, (name, selector) => {
        for (const { errors } of nameFormats.values()) inTime(() => errors(name));
        inTime(() => [parseFieldSelector(selector), parseLabelSelector(selector)]);
      }),
      runs,
    );
  });

  it("throw nothing but CelErrors from expressions", () => {
    const text = fc.oneof(quantityText, addressText, urlText, versionText, nameText);
    const expressions = [
      "[quantity(s)].map(q, [q.add(q).sub(1).asApproximateFloat(), q.compareTo(q)])",
      "[ip(s)].map(i, [i.family(), i.isLoopback(), string(i)])",
      "[cidr(s)].map(c, [c.prefixLength(), string(c.masked()), c.containsIP(s), c.containsCIDR(c)])",
      "[url(s)].map(u, [u.getHost(), u.getHostname(), u.getPort(), u.getEscapedPath(), u.getQuery()])",
      "[semver(s, true)].map(v, [v.major(), v.compareTo(v)])",
      "[s.find(p), s.findAll(p)]",
      "jsonpatch.escapeKey(s)",
    ];
    fc.assert(
      fc.property(text, fc.constantFrom(...expressions), (s, expression) => {
        // A pattern as long as the text takes the time of both multiplied, which is what its cost says too.
        onlyCelErrors(() => evaluate(expression, { s, p: s.slice(0, 200) }));
      }),
      runs,
    );
  });
});

const key = fc.constantFrom(
  "a",
  "b",
  "name",
  "spec",
  "list",
  "__proto__",
  "constructor",
  "0",
  "-",
  "x/y",
  "m~n",
  "",
);

const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json; record: JsonRecord }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<Json>(null, true, 0, 1.5, "", "a", "x"),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("record"),
  ),
  record: fc
    .array(fc.tuple(key, tie("value")), { maxLength: 4 })
    .map(
      (entries) =>
        JSON.parse(
          `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(",")}}`,
        ) as JsonRecord,
    ),
})).value;

const record = json.map((value): JsonRecord => ({ apiVersion: "v1", kind: "K", spec: value, list: [value] }));

const pointer = fc.oneof(
  fc
    .array(
      fc.constantFrom("a", "b", "spec", "list", "__proto__", "0", "1", "-1", "-", "x~1y", "m~0n", "99"),
      { maxLength: 5 },
    )
    .map((steps) => steps.map((step) => `/${step}`).join("")),
  fc.string({ maxLength: 8 }),
);

const operation: fc.Arbitrary<JsonPatchOperation> = fc.record({
  op: fc.constantFrom("add", "add", "remove", "replace", "move", "copy", "copy", "test", "other"),
  path: pointer,
  from: pointer,
  value: json,
});

describe("patches", () => {
  it("apply or throw CelErrors, and change nothing they were given", () => {
    fc.assert(
      fc.property(record, fc.array(operation, { maxLength: 8 }), (document, operations) => {
        const before = JSON.stringify([document, operations]);
        onlyCelErrors(() => applyJsonPatch(document, operations));
        expect(JSON.stringify([document, operations])).toBe(before);
        expect(({} as Record<string, unknown>).a).toBeUndefined();
      }),
      runs,
    );
  });

  it("merge by whatever schema or throw CelErrors, and change nothing they were given", () => {
    const schemaWord = fc.constantFrom<Json>(
      "object",
      "array",
      "string",
      "integer",
      "map",
      "set",
      "atomic",
      true,
      ["name"],
      ["a"],
    );
    const schema: fc.Arbitrary<JsonRecord> = fc.letrec<{ schema: JsonRecord }>((tie) => ({
      schema: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<JsonRecord>(
          {},
          { type: "string" },
          { type: "integer" },
          { $ref: "#/self" },
          { type: "object" },
        ),
        fc.record({
          type: schemaWord,
          items: tie("schema"),
          "x-kubernetes-list-type": schemaWord,
          "x-kubernetes-list-map-keys": schemaWord,
          "x-kubernetes-map-type": schemaWord,
          additionalProperties: fc.oneof(tie("schema"), fc.boolean()),
          properties: fc.dictionary(key, tie("schema"), { maxKeys: 4 }),
        }),
      ),
    })).schema;
    fc.assert(
      fc.property(record, record, fc.option(schema, { nil: undefined }), (object, configuration, root) => {
        const before = JSON.stringify([object, configuration]);
        const type = root === undefined ? undefined : schemaAtom(root, () => root);
        onlyCelErrors(() => mergeApplyConfiguration(object, configuration, type));
        expect(JSON.stringify([object, configuration])).toBe(before);
      }),
      runs,
    );
  });

  it("refuse documents nested without end", () => {
    let deep: Json = 1;
    for (let level = 0; level < 50_000; level++) deep = [deep];
    onlyCelErrors(() => mergeApplyConfiguration({ a: deep }, { a: deep }));
    onlyCelErrors(() => applyJsonPatch({ a: deep }, [{ op: "copy", from: "/a", path: "/b" }]));
    onlyCelErrors(() => applyJsonPatch({ a: deep }, [{ op: "test", path: "/a", value: deep }]));
    onlyCelErrors(() => applyJsonPatch({}, [{ op: "add", path: "/a".repeat(50_000), value: 1 }]));
  });
});
