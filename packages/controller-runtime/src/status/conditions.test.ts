import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Condition } from "../kubernetes/objects.ts";
import { findCondition, isConditionTrue, removeCondition, setCondition } from "./conditions.ts";

const at = Date.UTC(2026, 2, 4, 5, 6, 7, 890);
const ready = {
  type: "Ready",
  status: "True",
  reason: "Reconciled",
  message: "fine",
  observedGeneration: 3,
} as const;

describe("setCondition", () => {
  it("adds a condition with the time in whole seconds", () => {
    expect(setCondition(undefined, ready, at)).toEqual([
      { ...ready, lastTransitionTime: "2026-03-04T05:06:07Z" },
    ]);
  });

  it("keeps lastTransitionTime while the status stays, and moves it when it changes", () => {
    const first = setCondition([], ready, at);
    const reworded = setCondition(
      first,
      { ...ready, message: "still fine", observedGeneration: 4 },
      at + 60_000,
    );
    expect(findCondition(reworded, "Ready")).toMatchObject({
      message: "still fine",
      observedGeneration: 4,
      lastTransitionTime: "2026-03-04T05:06:07Z",
    });
    const failed = setCondition(reworded, { ...ready, status: "False", reason: "Broken" }, at + 60_000);
    expect(findCondition(failed, "Ready")?.lastTransitionTime).toBe("2026-03-04T05:07:07Z");
  });

  it("returns the same array when nothing changed, so that no write is needed", () => {
    const first = setCondition([], ready, at);
    expect(setCondition(first, { ...ready }, at + 60_000)).toBe(first);
  });

  it("leaves the order and the other conditions alone", () => {
    const other: Condition = { ...ready, type: "Compiled", lastTransitionTime: "2020-01-01T00:00:00Z" };
    const both = setCondition([other], ready, at);
    const changed = setCondition(both, { ...ready, type: "Compiled", status: "False" }, at);
    expect(changed.map((condition) => condition.type)).toEqual(["Compiled", "Ready"]);
    expect(changed[1]).toBe(both[1]);
  });

  it("cuts a message to what the API accepts without halving a character", () => {
    fc.assert(
      fc.property(fc.integer({ min: 32_760, max: 32_775 }), fc.boolean(), (length, shift) => {
        const message = `${shift ? "x" : ""}${"😀".repeat(length / 2)}`;
        const [condition] = setCondition([], { ...ready, message }, at);
        expect(condition?.message.length).toBeLessThanOrEqual(32_768);
        expect(condition?.message.isWellFormed()).toBe(true);
        if (message.length <= 32_768) expect(condition?.message).toBe(message);
      }),
      { numRuns: 50 },
    );
  });

  it("refuses a reason that the API would refuse", () => {
    expect(() => setCondition([], { ...ready, reason: "" }, at)).toThrow(TypeError);
    expect(() => setCondition([], { ...ready, reason: "not a word" }, at)).toThrow(/CamelCase/);
  });
});

describe("removeCondition", () => {
  it("removes by type, and returns the same array when there is nothing to remove", () => {
    const conditions = setCondition([], ready, at);
    expect(removeCondition(conditions, "Other")).toBe(conditions);
    expect(removeCondition(conditions, "Ready")).toEqual([]);
    expect(isConditionTrue(conditions, "Ready")).toBe(true);
  });
});
