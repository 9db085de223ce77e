import { describe, expect, it } from "vitest";
import { formatLeft, listExceptions } from "./list.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const day = 86_400_000;
const exception = (name: string, days: number, status?: object) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "shop" },
  spec: {
    policies: ["p"],
    owner: "team-a",
    reason: "needed until it is replaced",
    expiresAt: new Date(now + days * day).toISOString(),
    match: { names: ["a"] },
  },
  ...(status === undefined ? {} : { status }),
});
const condition = (type: string, status: string) => ({
  type,
  status,
  reason: "Some",
  message: `${type} is ${status}`,
  lastTransitionTime: "2026-01-01T00:00:00Z",
});
const objects = [
  exception("late", 20),
  exception("soon", 3, {
    conditions: [condition("Ready", "True"), condition("Unused", "True")],
    usage: { count: 4 },
  }),
  exception("over", -1, { conditions: [condition("Ready", "False")] }),
];
const names = (filter: Parameters<typeof listExceptions>[1]) =>
  listExceptions(objects, filter, now).map(({ name }) => name);

describe("listExceptions", () => {
  it("lists what ends soonest first, and only what is asked for", () => {
    expect(names({})).toEqual(["over", "soon", "late"]);
    expect(names({ expiringMs: 14 * day })).toEqual(["soon"]);
    expect(names({ unused: true })).toEqual(["soon"]);
    expect(names({ unused: true, expiringMs: day })).toEqual([]);
  });

  it("says what is known, and no more", () => {
    const [over, soon, late] = listExceptions(objects, {}, now);
    expect(over).toMatchObject({ honoured: false, unused: undefined, message: "Ready is False" });
    expect(soon).toMatchObject({ honoured: true, unused: true, used: 4 });
    expect(late).toMatchObject({ honoured: undefined, unused: undefined, used: 0 });
  });
});

it("says how long is left as people do", () => {
  expect([0, 30, 3_600, 47 * 3_600, 14 * 86_400].map(formatLeft)).toEqual([
    "expired",
    "1m",
    "1h",
    "47h",
    "14d",
  ]);
});
