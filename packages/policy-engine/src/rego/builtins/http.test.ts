import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallOutcome, HttpCall } from "../calls/call.ts";
import { parseAllowedHost } from "../calls/hosts.ts";
import type { RegoValue } from "../values.ts";
import { callWith, testContext } from "./builtins.test-kit.ts";
import { AwaitsOutcome, BuiltinError, CallError, EvaluationError } from "./contract.ts";
import { builtins } from "./index.ts";

const hosts = ["ok.example", "other.example:8443", "http://plain.example"].map(parseAllowedHost);
const request = { method: "get", url: "https://ok.example/x" };

/** Sends a request whose calls have this outcome; undefined: none yet. */
function send(given: RegoValue, outcome?: CallOutcome): RegoValue | undefined {
  return callWith(testContext({ http: { hosts, lookUp: () => outcome } }), "http.send", given);
}

/** The call that is waited for. */
function awaited(given: RegoValue): HttpCall {
  try {
    send(given);
  } catch (error) {
    if (error instanceof AwaitsOutcome) return error.call;
    throw error;
  }
  throw new Error("it waits for nothing");
}

const answer = (body: string, contentType = "application/json", statusCode = 200): CallOutcome => ({
  kind: "answered",
  response: {
    status: `${statusCode} Said`,
    statusCode,
    headers: new Map([
      ["content-type", [contentType]],
      ["__proto__", ["a"]],
    ]),
    body: Buffer.from(body),
  },
});

describe("a call", () => {
  it("waits for its outcome", () => {
    expect(awaited({ ...request, headers: { Accept: "text/plain" }, body: { a: [1] } })).toMatchObject({
      method: "GET",
      url: new URL(request.url),
      headers: [["accept", "text/plain"]],
      body: new TextEncoder().encode('{"a":[1]}'),
      timeoutMs: 5_000,
      followsRedirects: false,
      keep: undefined,
    });
  });

  it.each<[string, RegoValue, object]>([
    ["a timeout in words", { timeout: "150ms" }, { timeoutMs: 150 }],
    ["a timeout in nanoseconds", { timeout: 2_000_000 }, { timeoutMs: 2 }],
    ["redirects", { enable_redirect: true }, { followsRedirects: true }],
    ["a raw body before another", { raw_body: "a", body: 1 }, { body: new TextEncoder().encode("a") }],
    ["what a cache may hold", { cache: true }, { keep: "as told" }],
    ["what it must", { force_cache: true, force_cache_duration_seconds: 60 }, { keep: { ms: 60_000 } }],
    ["no lengths of its own", { headers: { "Content-Length": "9", Trailer: "x" } }, { headers: [] }],
    ["a name of the same host", { headers: { host: "ok.example" } }, { headers: [["host", "ok.example"]] }],
    ["an authority, as from an environment", { tls_ca_cert: "a\\nb" }, { tls: { ca: "a\nb" } }],
  ])("takes %s", (_, more, call) => {
    expect(awaited({ ...request, ...(more as object) })).toMatchObject(call);
  });

  it("is the same call where the request is, and no other", () => {
    const { key } = awaited(request);
    expect(awaited({ url: request.url, method: "get" }).key).toBe(key);
    expect(awaited({ ...request, headers: {} }).key).not.toBe(key);
  });

  it.each([
    "http://ok.example/",
    "https://ok.example:444/",
    "https://evil.example/",
    "https://ok.example@evil.example/",
    "https://ok.example.evil.example/",
    "https://other.example/",
    "https://plain.example/",
    "https://ok.example./",
  ])("goes to hosts of the list only: %s", (url) => {
    expect(() => send({ ...request, url })).toThrow(
      /unallowed host .*: list it in spec\.rego\.allowedHosts|user or password/,
    );
  });

  it.each<[string, RegoValue, string]>([
    ["a file", { tls_ca_cert_file: "/x" }, "reads no files"],
    ["the environment", { tls_client_key_env_variable: "X" }, "no environment"],
    ["unverified TLS", { tls_insecure_skip_verify: true }, "tls_insecure_skip_verify is refused"],
    ["second attempts", { max_retry_attempts: 3 }, "max_retry_attempts is not supported"],
    ["half a certificate", { tls_client_cert: "x" }, "go together"],
    ["another site by its name", { headers: { Host: "evil.example" } }, "headers.Host names another host"],
    ["a header of the connection", { headers: { Connection: "upgrade" } }, "about the connection"],
    ["a header of two lines", { headers: { a: "b\r\nc: d" } }, "headers.a must be a string of one line"],
    ["a name of two lines", { headers: { "a\r\nb": "c" } }, "no header can have"],
    ["a tunnel", { method: "CONNECT" }, "method must be"],
    ["a socket", { url: "unix://localhost/x?socket=%2Ftmp%2Fx" }, "neither https: nor http:"],
    ["no URL", { url: "ok.example/x" }, "no URL"],
    ["no time", { timeout: "0s" }, "above 0"],
    ["no duration", { timeout: "soon" }, "timeout: "],
    ["an unknown member", { tls_ca: "x" }, 'invalid request parameters(s): {"tls_ca"}'],
    ["no truth", { enable_redirect: "yes" }, "enable_redirect must be true or false"],
    ["a body that is too large", { raw_body: "x".repeat(1_048_577) }, "more than 1048576 bytes"],
  ])("is refused with %s, and ends the query", (_, more, message) => {
    const given = { ...request, ...(more as object) };
    expect(() => send(given)).toThrow(CallError);
    expect(() => send(given)).toThrow(message);
    expect(send({ ...given, raise_error: false })).toMatchObject({
      status_code: 0,
      error: { code: "eval_http_send_internal_error", message: expect.stringContaining(message) },
    });
  });

  it("never crashes, and never leaves the list, whatever the request object", () => {
    const members = fc.constantFrom(
      ...["method", "url", "headers", "body", "raw_body", "timeout", "raise_error", "cache", "tls_ca_cert"],
      ...["enable_redirect", "__proto__", "constructor", "force_cache", "force_cache_duration_seconds"],
    );
    const urls = fc.tuple(
      fc.constantFrom("https://", "http://", "HTTPS:", "//", "https:\t//", ""),
      fc.constantFrom(
        "ok.example",
        "OK.EXAMPLE",
        "ok.example%00.evil",
        "0x7f.1",
        "[::1]",
        "a@b",
        "ok。example",
      ),
      fc.string({ maxLength: 8 }),
    );
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom("get", "POST", "1s", true, false, 1e300, -1),
      urls.map((parts) => parts.join("")),
    );
    const objects = fc.dictionary(members, values as fc.Arbitrary<unknown>, { maxKeys: 8 });
    const call = builtins.get("http.send")!;
    fc.assert(
      fc.property(objects, urls, (object, url) => {
        for (const given of [object, { method: "get", url: url.join(""), ...object }]) {
          try {
            call.call([given as RegoValue], testContext({ http: { hosts, lookUp: () => undefined } }));
          } catch (error) {
            if (error instanceof AwaitsOutcome) {
              expect(["https://ok.example", "http://plain.example"]).toContain(error.call.url.origin);
            } else expect(error).toBeInstanceOf(EvaluationError);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("of what is no request ends the query, too", () => {
    expect(() => send("x")).toThrow(CallError);
    expect(() => send({})).toThrow('missing required request parameters(s): {"method", "url"}');
    expect(() => send({ ...request, raise_error: 1 })).toThrow("invalid value for raise_error");
    expect(new CallError("x")).not.toBeInstanceOf(BuiltinError);
  });
});

describe("an outcome", () => {
  it("is the response, decoded where it says it is JSON or YAML", () => {
    expect(send(request, answer('{"a": 9007199254740993}'))).toEqual({
      status: "200 Said",
      status_code: 200,
      body: { a: 9007199254740993n },
      raw_body: '{"a": 9007199254740993}',
      headers: JSON.parse('{"content-type": ["application/json"], "__proto__": ["a"]}'),
    });
    expect(send(request, answer("{", "application/json"))).toMatchObject({ body: null, raw_body: "{" });
    expect(send(request, answer("a: 1", "application/yaml"))).toMatchObject({ body: { a: 1 } });
    expect(send(request, answer("[1]", "application/problem+json; charset=utf-8"))).toMatchObject({
      body: [1],
    });
    expect(send(request, answer("[1]", "text/plain", 404))).toMatchObject({ body: null, status_code: 404 });
    expect(send({ ...request, force_json_decode: true }, answer("[1]", ""))).toMatchObject({ body: [1] });
  });

  it("ends the query where it is more YAML than is read at one go", () => {
    const yaml = answer(`a: ${"x".repeat(262_144)}`, "application/yaml");
    expect(() => send({ ...request, raise_error: false }, yaml)).toThrow(/at most 262144 characters/);
  });

  it("that failed is raised, unless the policy wants to see it", () => {
    const outcome: CallOutcome = { kind: "failed", message: "nobody there" };
    expect(() => send(request, outcome)).toThrow("nobody there");
    expect(send({ ...request, raise_error: false }, outcome)).toEqual({
      status_code: 0,
      error: { code: "eval_http_send_network_error", message: "nobody there" },
    });
  });

  it("that is beyond a limit ends the query, whatever the policy wants", () => {
    const outcome: CallOutcome = { kind: "refused", message: "too many", mayPass: false };
    expect(() => send({ ...request, raise_error: false }, outcome)).toThrow(CallError);
  });
});
