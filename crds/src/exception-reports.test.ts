import fc from "fast-check";
import { expect, it } from "vitest";
import {
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
  const approvals = [{ uid: "u", generation: 2, user: "jane" }];
  expect(parseExceptionApprovals(formatExceptionApprovals(approvals))).toEqual(approvals);
  expect(formatExceptionUses({ process: "a", uses: [] })).toBeUndefined();
  expect(formatExceptionApprovals([])).toBeUndefined();
});

it("keeps what it says within bounds, the newest of it", () => {
  const many = Array.from({ length: 100 }, (_, n) => ({
    uid: `u${n}`,
    generation: 1,
    user: "j".repeat(999),
  }));
  const said = parseExceptionApprovals(formatExceptionApprovals(many));
  expect(said).toHaveLength(MAX_REPORTED_APPROVALS);
  expect(said.at(-1)).toMatchObject({ uid: "u99", user: "j".repeat(MAX_APPROVER_LENGTH) });
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
