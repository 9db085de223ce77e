import { describe, expect, it } from "vitest";
import { repeating } from "./repeating.ts";

describe("repeating", () => {
  it("runs each at its own interval, in order, and ends in time", async () => {
    const ran: Record<"often" | "seldom", number[]> = { often: [], seldom: [] };
    const note = (which: "often" | "seldom") => async (index: number) => void ran[which].push(index);
    await repeating(
      [
        { everyMs: 5, work: note("often") },
        { everyMs: 3_600_000, work: note("seldom") },
      ],
      200,
    );
    expect(ran.seldom).toEqual([0]);
    expect(ran.often.length).toBeGreaterThan(1);
    expect(ran.often).toEqual(ran.often.map((_, at) => at));
  });

  it("ends all at the first failure, throws it, and waits for what is under way", async () => {
    let isUnderWay = false;
    const failing = { everyMs: 1, work: () => Promise.reject(new Error("churn failed")) };
    const slow = {
      everyMs: 1,
      work: async () => {
        isUnderWay = true;
        await new Promise((resolve) => setTimeout(resolve, 50));
        isUnderWay = false;
      },
    };
    await expect(repeating([slow, failing], 3_600_000)).rejects.toThrow("churn failed");
    expect(isUnderWay).toBe(false);
  });
});
