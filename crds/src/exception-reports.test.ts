import fc from "fast-check";
import { expect, it } from "vitest";
import {
  exceptionSpecDigest,
  fittingApprovals,
  formatExceptionApprovals,
  formatExceptionUses,
  MAX_APPROVER_LENGTH,
  MAX_REPORTED_APPROVALS,
  parseExceptionApprovals,
  parseExceptionUses,
} from "./exception-reports.ts";

it("comes back as it was said", () => {
  const uses = [{ uid: "__proto__", count: 3, lastUsedMs: 7 }];
  expect(parseExceptionUses(formatExceptionUses({ process: "a", uses }))).toEqual({ process: "a", uses });
  const approvals = [{ uid: "u", generation: 2, user: "jane", specDigest: "d" }];
  expect(parseExceptionApprovals(formatExceptionApprovals(approvals))).toEqual(approvals);
  expect(formatExceptionUses({ process: "a", uses: [] })).toBeUndefined();
  expect(formatExceptionApprovals([])).toBeUndefined();
});

it("keeps what it says within bounds, the first of it, also in bytes", () => {
  const many = (user: string) =>
    Array.from({ length: 100 }, (_, n) => ({ uid: `u${n}`, generation: 1, user, specDigest: "d" }));
  const said = parseExceptionApprovals(formatExceptionApprovals(many("j".repeat(999))));
  expect(said).toHaveLength(MAX_REPORTED_APPROVALS);
  expect(said[0]).toMatchObject({ uid: "u0", user: "j".repeat(MAX_APPROVER_LENGTH) });
  const wide = many("\u0001".repeat(253));
  const text = formatExceptionApprovals(wide) ?? "";
  expect(Buffer.byteLength(text)).toBeLessThan(33_000);
  expect(parseExceptionApprovals(text)).toEqual(fittingApprovals(wide));
  expect(fittingApprovals(wide).length).toBeGreaterThan(10);
});

it("tells specs apart, not orders of keys", () => {
  const spec = { policies: ["p"], match: { kinds: ["Pod"], names: ["a"] } };
  const digest = exceptionSpecDigest(spec);
  expect(digest).toMatch(/^[0-9a-f]{32}$/);
  expect(exceptionSpecDigest({ match: { names: ["a"], kinds: ["Pod"] }, policies: ["p"] })).toBe(digest);
  expect(exceptionSpecDigest({ ...spec, policies: ["q"] })).not.toBe(digest);
  const own = JSON.parse('{"__proto__":{"a":1}}');
  expect(exceptionSpecDigest(own)).not.toBe(exceptionSpecDigest({}));
  // An object is not the list of its entries.
  expect(exceptionSpecDigest({ match: { a: 1 } })).not.toBe(exceptionSpecDigest({ match: [["a", 1]] }));
});

it("takes whatever stands there", () => {
  for (const text of [undefined, "", "{", "null", "[]", '{"process":"a","uses":[["u",-1,0]]}', "[[1,2,3]]"]) {
    expect(parseExceptionUses(text)).toBeUndefined();
    expect(parseExceptionApprovals(text)).toEqual([]);
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      parseExceptionUses(text);
      parseExceptionApprovals(text);
    }),
  );
});
