import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeAdmissionReview, encodeAdmissionAnswer } from "./admission-review.ts";
import { evaluationTimeMs, parseGoDuration } from "./deadline.ts";
import { HttpError } from "./http-error.ts";
import { isNestedDeeperThan, measureJson } from "./json-depth.ts";
import { reviewHead } from "./review-head.ts";
import { review } from "./server.test-kit.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "utf8");

describe("decoding", () => {
  it("answers any bytes with a request or a coded refusal, never another error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), fc.json().map(bytes)), (body) => {
        expectRequestOrRefusal(body);
      }),
      { numRuns: 3_000 },
    );
  });

  it("survives every mutation of a good review", () => {
    const good = bytes(JSON.stringify(review()));
    const mutation = fc.array(
      fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.constantFrom("set", "cut", "repeat")),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(mutation, (changes) => {
        let body = Buffer.from(good);
        for (const [at, value, how] of changes) {
          const i = at % Math.max(1, body.length);
          if (how === "set") body[i] = value;
          else if (how === "cut") body = body.subarray(0, i);
          else body = Buffer.concat([body, body.subarray(i)]);
        }
        expectRequestOrRefusal(body);
      }),
      { numRuns: 3_000 },
    );
  });

  it("survives any value in any field, and what it returns has the promised shape", () => {
    const fields = [
      "uid",
      "kind",
      "resource",
      "requestResource",
      "subResource",
      "name",
      "namespace",
      "operation",
      "userInfo",
      "object",
      "oldObject",
      "dryRun",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.anything({ withNullPrototype: true }), (field, value) => {
        const text = JSON.stringify(review({ [field]: value }), (_, item) =>
          typeof item === "bigint" ? String(item) : item,
        );
        const request = expectRequestOrRefusal(bytes(text));
        if (request === undefined) return;
        expect(typeof request.uid).toBe("string");
        expect(typeof request.resource.resource).toBe("string");
        expect(["object", "undefined"]).toContain(typeof request.object);
        expect(Array.isArray(request.userInfo.groups ?? [])).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it("keeps whole numbers beyond 2^53", () => {
    const text = JSON.stringify(review()).replace('{"kind":"Pod"}', '{"kind":"Pod","n":9007199254740993}');
    const { object } = decodeAdmissionReview(bytes(text));
    expect(object).toEqual({ kind: "Pod", n: 9007199254740993n });
    const patch = [{ op: "add", path: "/m", value: 9007199254740993n }];
    const answer = JSON.parse(encodeAdmissionAnswer("u", { allowed: true, patch }));
    expect(Buffer.from(answer.response.patch, "base64").toString()).toContain('"value":9007199254740993}');
  });

  it("takes what is no UTF-8 as Go does, and names of any length", () => {
    const long = "x".repeat(10_000);
    const text = JSON.stringify(review({ name: long, userInfo: { username: long, uid: long } }));
    const [before = "", after = ""] = text.split('Pod"},"oldObject');
    const { object, name, userInfo } = decodeAdmissionReview(
      Buffer.concat([bytes(before), Buffer.from([0xff]), bytes(`"},"oldObject${after}`)]),
    );
    expect(object).toEqual({ kind: "\ufffd" });
    expect([name, userInfo]).toEqual([
      long,
      { username: long, uid: long, groups: undefined, extra: undefined },
    ]);
  });

  it("does not let a __proto__ in an object reach any prototype", () => {
    const text = JSON.stringify(review()).replace('{"kind":"Pod"}', '{"__proto__":{"polluted":true}}');
    const request = decodeAdmissionReview(bytes(text));
    expect(request.object).toBeDefined();
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

function expectRequestOrRefusal(body: Uint8Array) {
  try {
    return decodeAdmissionReview(body);
  } catch (error) {
    expect(error).toBeInstanceOf(HttpError);
    expect([400, 413, 422]).toContain((error as HttpError).status);
    expect((error as Error).message.length).toBeLessThan(400);
    return undefined;
  }
}

describe("nesting", () => {
  it("agrees with a count over the parsed value", () => {
    const depthOf = (value: unknown): number =>
      typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(9), (value, limit) => {
        expect(isNestedDeeperThan(bytes(JSON.stringify(value)), limit)).toBe(depthOf(value) > limit);
        expect(measureJson(bytes(JSON.stringify(value))).depth).toBe(depthOf(value));
      }),
    );
  });

  it("counts no fewer values than there are, and at most one more for each list and object", () => {
    const valuesOf = (value: unknown): number =>
      typeof value === "object" && value !== null
        ? 1 + Object.values(value).reduce<number>((sum, item) => sum + valuesOf(item), 0)
        : 1;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const { values } = measureJson(bytes(JSON.stringify(value)));
        expect(values).toBeGreaterThanOrEqual(valuesOf(value));
        expect(values).toBeLessThanOrEqual(2 * valuesOf(value));
      }),
    );
  });

  it("does not count brackets in strings, also behind escaped quotes", () => {
    expect(isNestedDeeperThan(bytes('"\\"[[[[\\\\"'), 0)).toBe(false);
    expect(isNestedDeeperThan(bytes('"\\\\"[['), 1)).toBe(true);
  });
});

describe("the head of a review", () => {
  const text = JSON.stringify(review({ name: 'a "object" {[', dryRun: true }, { object: 1, big: [1, 2, 3] }));

  it("is all but the objects, wherever in them the text ends", () => {
    const { object, dryRun, ...about } = decodeAdmissionReview(bytes(text));
    const from = text.indexOf('"object":');
    for (let end = from + 9; end <= text.length; end++) {
      const head = reviewHead(bytes(text.slice(0, end)));
      expect(head).toMatchObject({ uid: "6f9d" });
      expect(head?.request).toEqual({
        ...about,
        object: undefined,
        oldObject: undefined,
        dryRun: undefined,
        options: undefined,
      });
    }
  });

  it("is the uid alone where the text ends before that, and nothing without it", () => {
    const from = text.indexOf('"object":');
    for (let end = 0; end < from; end++) {
      const head = reviewHead(bytes(text.slice(0, end)));
      if (end < text.indexOf('6f9d"') + 5) expect(head).toBeUndefined();
      else expect(head).toEqual({ uid: "6f9d", request: undefined });
    }
  });
});

describe("encoding", () => {
  it("fits warnings into what API servers pass on", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 600, unit: "grapheme" }), { maxLength: 60 }),
        (warnings) => {
          const { response } = JSON.parse(encodeAdmissionAnswer("u", { allowed: true, warnings }));
          const sent: string[] = response.warnings ?? [];
          expect(sent.every((warning) => warning.length <= 256 && !/[\r\n]/.test(warning))).toBe(true);
          expect(sent.join("").length).toBeLessThanOrEqual(4_096);
          if (sent.length < warnings.length) expect(sent.at(-1)).toMatch(/^and \d+ more warnings$/);
        },
      ),
    );
  });
});

describe("deadline", () => {
  it.each([
    ["5s", 5_000],
    ["1m0s", 60_000],
    ["1.5s", 1_500],
    ["250ms", 250],
    ["1h2m3s4ms", 3_723_004],
    ["", undefined],
    ["5", undefined],
    ["-5s", undefined],
    ["1e9s", undefined],
  ])("reads Go duration %j", (text, expected) => {
    expect(parseGoDuration(text)).toBe(expected);
  });

  it.each([
    ["timeout=5s", 4_500],
    ["timeout=1s", 900],
    ["timeout=100ms", 50],
    ["timeout=10h", 29_500],
    ["timeout=nonsense", 9_500],
    ["", 9_500],
    ["timeout=1ms", 1],
  ])("leaves %j that many milliseconds: %d", (query, expected) => {
    expect(evaluationTimeMs(new URLSearchParams(query))).toBe(expected);
  });
});
