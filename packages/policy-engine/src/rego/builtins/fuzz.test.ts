/**
 * Hostile arguments to every built-in: whatever they are, the answer is a value, undefined, or one of the errors of
 * the contract, and it comes soon. SHIELDX_FUZZ_CASES raises how much is tried, SHIELDX_SEED gives other cases.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RegoObject, RegoSet, type RegoValue, typeName, ValueDepthError } from "../values.ts";
import { testContext } from "./builtins.test-kit.ts";
import { type Builtin, BuiltinError, EvaluationError } from "./contract.ts";
import { builtins } from "./index.ts";

const numRuns = Number(process.env.SHIELDX_FUZZ_CASES ?? 60);
const seed = Number(process.env.SHIELDX_SEED ?? 20_261_129);
/** As much work as one query may do, and the longest one call may take with that. */
const budget = 5_000_000;
const longestMs = 4_000;

/** Pieces of the languages the built-ins read, to be put together in any order. */
const alphabets: Readonly<Record<string, readonly string[]>> = {
  printf: [
    "%",
    "d",
    "s",
    "v",
    "x",
    "q",
    "*",
    "[",
    "]",
    "1",
    "99",
    "#",
    "+",
    "-",
    " ",
    "0",
    ".",
    "U",
    "999999",
    "é",
  ],
  glob: ["*", "**", "?", "[", "]", "{", "}", ",", "!", "-", "\\", "a", "b", "/", ".", "é", "{a,", "*}"],
  regex: [
    "(",
    ")",
    "*",
    "+",
    "?",
    "[",
    "]",
    "{",
    "}",
    "1",
    ",",
    "1000",
    "a",
    ".",
    "|",
    "\\",
    "^",
    "$",
    "(?i)",
    "b",
  ],
  layout: [
    "2006",
    "01",
    "_2",
    "15",
    "04",
    "05",
    ".000",
    ".999",
    "Jan",
    "Monday",
    "MST",
    "-07:00",
    "Z0700",
    "PM",
    "002",
  ],
  time: [
    "2024",
    "-",
    "02",
    "29",
    "T",
    "23",
    ":",
    "59",
    ".",
    "123456789",
    "Z",
    "+",
    "05",
    "Jan",
    "PM",
    "UTC",
    " ",
    "9",
  ],
  pointer: ["/", "~0", "~1", "~", "a", "0", "01", "-", "__proto__", "constructor", "length", "//"],
  cidr: ["10", ".", "0", "255", "/", "8", "33", ":", "::", "ffff", "2001", "%eth0", "1", "128"],
  version: ["1", ".", "0", "-", "+", "v", "alpha", "01", "99999999999999999999", "rc.1"],
  unit: ["1", ".", "5", "e", "E", "+", "-", "9999", "999999", "K", "ki", "m", "M", "Gib", '"', " "],
  duration: ["1", ".", "5", "h", "m", "s", "ms", "µs", "d", "w", "y", "-", "9999999999"],
  json: [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "1",
    "e",
    "-",
    "true",
    "null",
    "\\u",
    "d800",
    "\\",
    "a",
    "1e400",
    "1e99999",
  ],
  yaml: [
    "a",
    ":",
    " ",
    "\n",
    "- ",
    "&x",
    "*x",
    "!!",
    "|",
    ">",
    "'",
    '"',
    "{",
    "}",
    "<<",
    "?",
    "#",
    "---",
    "\t",
    "1",
  ],
  template: [
    "{{",
    "}}",
    "{{-",
    "-}}",
    ".",
    "$x",
    ":=",
    "range",
    "if",
    "else",
    "end",
    "with",
    "define",
    '"t"',
    "template",
    "|",
    "len",
    "printf",
    "(",
    ")",
    " ",
    "1",
    "break",
    "index",
  ],
  url: [
    "http",
    ":",
    "//",
    "@",
    "[",
    "]",
    "%",
    "41",
    "/",
    "?",
    "#",
    "&",
    "=",
    ";",
    "a",
    "::1",
    "%25",
    "\u0000",
  ],
  token: ["eyJhbGciOiJIUzI1NiJ9", ".", "e30", "=", "-", "_", "eyJjdHkiOiJKV1QifQ", "A", "{}", "é"],
  pem: [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "MIIB",
    "MAAwgA==",
    "\n",
    "=",
    "-----",
  ],
  base64: ["A", "=", "/", "_", "MIID", "\n", "MIICmDCCAYACAQAw", "AgEA", "ZZZZ", "*"],
};

const texts = fc.oneof(
  ...Object.values(alphabets).map((pieces) =>
    fc.array(fc.constantFrom(...pieces), { maxLength: 24 }).map((parts) => parts.join("")),
  ),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "\udc80",
    "\ud800",
    "a".repeat(70_000),
    "(".repeat(3_000),
    "{".repeat(3_000),
  ),
);

const numbers = fc.oneof(
  fc.constantFrom<number | bigint>(
    0,
    1,
    -1,
    2,
    8,
    10,
    16,
    0.1,
    -0.5,
    1e21,
    1e308,
    5e-324,
    2 ** 53,
    10n ** 40n,
    -(2n ** 63n),
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
);

const keys = fc.constantFrom(
  ...[
    "a",
    "b",
    "__proto__",
    "constructor",
    "op",
    "path",
    "value",
    "from",
    "method",
    "url",
    "headers",
    "keys",
  ],
  ...[
    "kty",
    "k",
    "alg",
    "secret",
    "cert",
    "type",
    "properties",
    "items",
    "$ref",
    "pattern",
    "indent",
    "prefix",
  ],
);

const values = fc.letrec<{ value: RegoValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(
      fc.constantFrom<RegoValue>(null, true, false, "add", "copy", "move", "#", "object"),
      texts,
      numbers,
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new RegoSet(items)),
    fc
      .array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 })
      .map((entries) => new RegoObject(entries)),
    fc.array(fc.tuple(keys, tie("value")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

/** Nested as deep as JSON can bring it, and deeper. */
function nested(depth: number): RegoValue {
  let value: RegoValue = [];
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

const tooDeep = nested(3_000);
const argument = fc.oneof(
  { arbitrary: texts, weight: 5 },
  { arbitrary: values, weight: 6 },
  { arbitrary: numbers, weight: 2 },
  { arbitrary: fc.constant(tooDeep), weight: 1 },
);

function limited() {
  let left = budget;
  return testContext({
    spend: (units) => {
      left -= units;
      if (!(left >= 0)) throw new EvaluationError("eval_cancel_error", "out of budget");
    },
  });
}

function isValue(value: RegoValue | undefined): boolean {
  if (value === undefined) return true;
  if (typeof value === "number") return Number.isFinite(value);
  return ["null", "boolean", "number", "string", "array", "object", "set"].includes(typeName(value));
}

function attempt(builtin: Builtin, args: readonly RegoValue[]): void {
  const began = performance.now();
  try {
    expect(isValue(builtin.call(args, limited()))).toBe(true);
  } catch (error) {
    const allowed =
      error instanceof BuiltinError || error instanceof EvaluationError || error instanceof ValueDepthError;
    if (!allowed) throw error;
  }
  expect(performance.now() - began).toBeLessThan(longestMs);
}

describe("hostile arguments", () => {
  it.each([...builtins.values()])("$name", { timeout: 600_000 }, (builtin) => {
    const count = builtin.arity ?? 0;
    fc.assert(
      fc.property(fc.array(argument, { minLength: count, maxLength: count }), (args) =>
        attempt(builtin, args),
      ),
      { numRuns: count === 0 ? 1 : numRuns, seed },
    );
  });
});

/** Built-ins and, per argument, what to make it of. */
const languages: readonly (readonly [
  name: string,
  ...parts: (keyof typeof alphabets | "list" | "number" | "value")[],
])[] = [
  ["sprintf", "printf", "list"],
  ["glob.match", "glob", "list", "glob"],
  ["regex.match", "regex", "regex"],
  ["regex.replace", "regex", "regex", "printf"],
  ["regex.find_all_string_submatch_n", "regex", "regex", "number"],
  ["regex.globs_match", "regex", "regex"],
  ["time.parse_ns", "layout", "time"],
  ["time.format", "list"],
  ["time.parse_duration_ns", "duration"],
  ["json.remove", "value", "list"],
  ["net.cidr_contains", "cidr", "cidr"],
  ["net.cidr_merge", "list"],
  ["semver.compare", "version", "version"],
  ["units.parse", "unit"],
  ["units.parse_bytes", "unit"],
  ["json.unmarshal", "json"],
  ["yaml.unmarshal", "yaml"],
  ["strings.render_template", "template", "value"],
  ["uri.parse", "url"],
  ["urlquery.decode_object", "url"],
  ["io.jwt.decode", "token"],
  ["crypto.x509.parse_certificates", "pem"],
  ["crypto.x509.parse_certificates", "base64"],
  ["crypto.x509.parse_certificate_request", "base64"],
  ["crypto.parse_private_keys", "pem"],
];

function source(part: string): fc.Arbitrary<RegoValue> {
  if (part === "list") return fc.array(fc.oneof(texts, numbers), { maxLength: 4 });
  if (part === "number") return numbers;
  if (part === "value")
    return fc.array(fc.tuple(keys, values), { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
  return fc
    .array(fc.constantFrom(...(alphabets[part] ?? [])), { maxLength: 40 })
    .map((parts) => parts.join(""));
}

describe("malformed texts", () => {
  it.each(languages)("%s of %s", { timeout: 600_000 }, (name, ...parts) => {
    const builtin = builtins.get(name)!;
    fc.assert(
      fc.property(fc.tuple(...parts.map(source)), (args) => attempt(builtin, args)),
      { numRuns: numRuns * 4, seed },
    );
  });
});
