import { describe, expect, it } from "vitest";
import { formatBreakGlassReports, type LetThrough, parseBreakGlassReports } from "./reports.ts";

const request: LetThrough = {
  glass: "glass-uid",
  policy: "restricted-pods",
  atMs: 1_764_000_000_000,
  operation: "CREATE",
  apiVersion: "v1",
  kind: "Pod",
  namespace: "shop",
  name: "web",
  uid: "pod-uid",
  user: "ann",
};
const report = {
  process: "p",
  open: ["glass-uid"],
  counts: [{ glass: "glass-uid", policy: "restricted-pods", requests: 1 }],
  requests: [request],
};

describe("what replicas tell of ShieldBreakGlasses", () => {
  it("comes out as it went in", () => {
    expect(parseBreakGlassReports(formatBreakGlassReports(report))).toEqual(report);
  });

  it("says nothing when nothing is open and nothing was let pass", () => {
    expect(formatBreakGlassReports({ ...report, open: [], counts: [], requests: [] })).toBeUndefined();
  });

  it("stays small whatever users and objects are called, and keeps the latest", () => {
    const hostile = Array.from({ length: 500 }, (_, at) => ({
      ...request,
      atMs: at,
      user: "\u0000".repeat(5_000),
      name: "\ud800".repeat(5_000),
    }));
    const text = formatBreakGlassReports({ ...report, requests: hostile }) ?? "";
    expect(Buffer.byteLength(text)).toBeLessThan(32 * 1024);
    expect(parseBreakGlassReports(text)?.requests.at(-1)?.atMs).toBe(499);
  });

  it("has no moment that cannot be written down as a timestamp", () => {
    const at = (atMs: number) => formatBreakGlassReports({ ...report, requests: [{ ...request, atMs }] });
    const last = Date.parse("9999-12-31T23:59:59.999Z");
    expect(parseBreakGlassReports(at(8_640_000_000_000_000))?.requests[0]?.atMs).toBe(last);
    const forged = at(last)?.replace(`${last}`, `${last + 1}`);
    expect(parseBreakGlassReports(forged)).toBeUndefined();
  });

  it("takes nothing from what is no such report", () => {
    for (const text of [
      undefined,
      "",
      "{",
      "[]",
      '{"process":"p"}',
      formatBreakGlassReports(report)?.replace('"p"', "1"),
    ])
      expect(parseBreakGlassReports(text)).toBeUndefined();
  });
});
