import { describe, expect, it } from "vitest";
import { call } from "./builtins.test-kit.ts";

describe("time.parse_ns", () => {
  it.each([
    ["2006-01-02T15:04:05Z07:00", "2024-02-29T23:59:59.123456789+05:30", 1_709_231_399_123_456_789n],
    ["RFC1123", "Mon, 02 Jan 2006 15:04:05 UTC", 1_136_214_245_000_000_000n],
    ["Jan _2 2006 3:04PM", "Feb  3 2013 12:04AM", 1_359_849_840_000_000_000n],
    ["2006 002", "2024 060", 1_709_164_800_000_000_000n],
    ["06-1-2", "69-12-31", -86_400_000_000_000],
  ])("%s of %s", (layout, value, ns) => {
    expect(call("time.parse_ns", layout, value)).toBe(ns);
  });

  it.each([
    ["2006-01-02", "2023-02-29", 'parsing time "2023-02-29": day out of range'],
    ["2006-01-02", "2023-13-01", 'parsing time "2023-13-01": month out of range'],
    ["2006-01-02", "x", 'parsing time "x" as "2006-01-02": cannot parse "x" as "2006"'],
    ["2006-01-02", "2023-02-01x", 'parsing time "2023-02-01x": extra text: "x"'],
    ["2006-01-02", "0001-01-01", "time outside of valid range"],
  ])("refuses %s of %s", (layout, value, message) => {
    expect(() => call("time.parse_ns", layout, value)).toThrow(message);
  });
});

describe("time.format", () => {
  const ns = 1_709_231_399_120_000_000n;
  it.each([
    [[ns], "2024-02-29T18:29:59.12Z"],
    [
      [ns, "America/New_York", "Monday, Jan 2 2006 3:04:05.000 pm MST -0700"],
      "Thursday, Feb 29 2024 1:29:59.120 pm EST -0500",
    ],
    [[ns, "Europe/Berlin", "UnixDate"], "Thu Feb 29 19:29:59 CET 2024"],
    [[ns, "Asia/Kolkata", "__2 002 2006 _2 .999"], " 60 060 2024 29 .12"],
  ])("%#", (value, expected) => {
    expect(call("time.format", value as never)).toBe(expected);
  });
});

describe("calendar", () => {
  it("adds and differs over clock changes", () => {
    const before = call("time.parse_rfc3339_ns", "2024-03-30T12:00:00+01:00") as bigint;
    const after = call("time.add_date", [before, "Europe/Berlin"], 0, 0, 1);
    expect(after).toBe(call("time.parse_rfc3339_ns", "2024-03-31T12:00:00+02:00"));
    expect(call("time.diff", [before, "Europe/Berlin"], after!)).toEqual([0, 0, 1, 0, 0, 0]);
    expect(call("time.weekday", before)).toBe("Saturday");
    expect(call("time.clock", [before, "Asia/Kathmandu"])).toEqual([16, 45, 0]);
  });

  it("refuses what has no place in it", () => {
    expect(() => call("time.date", [0, "Mars/Olympus"])).toThrow("unknown time zone Mars/Olympus");
    expect(() => call("time.date", 1e300)).toThrow("timestamp too big");
    expect(() => call("time.add_date", 0, 1e15, 0, 0)).toThrow("time outside of valid range");
  });
});

describe("durations", () => {
  it.each([
    ["1h15m30.5s", 4_530_500_000_000],
    ["-1.5h", -5_400_000_000_000],
    ["1d2h", 93_600_000_000_000],
    ["1.5w", 907_200_000_000_000],
    ["100µs", 100_000],
    ["0", 0],
  ])("%s", (text, ns) => {
    expect(call("time.parse_duration_ns", text)).toBe(ns);
  });

  it.each([
    ["", 'time: invalid duration ""'],
    ["1", 'time: missing unit in duration "1"'],
    ["1x", 'time: unknown unit "x" in duration "1x"'],
    ["9999999999999h", "time: invalid duration"],
  ])("refuses %j", (text, message) => {
    expect(() => call("time.parse_duration_ns", text)).toThrow(message);
  });
});
