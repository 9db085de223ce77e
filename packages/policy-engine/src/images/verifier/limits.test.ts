import { describe, expect, it } from "vitest";
import { Kept } from "./kept.ts";
import { Turnstile } from "./turnstile.ts";

describe("what is kept", () => {
  it("is there until its time, and goes when there is too much, the least recently used first", () => {
    const kept = new Kept<string>(2);
    kept.keep("a", "1", 10);
    kept.keep("b", "2", 20);
    expect(kept.find("a", 9)).toBe("1");
    kept.keep("c", "3", 20);
    expect([kept.size, kept.find("a", 9), kept.find("b", 9), kept.find("c", 9)]).toEqual([
      2,
      "1",
      undefined,
      "3",
    ]);
    expect([kept.find("a", 10), kept.size]).toEqual([undefined, 1]);
    kept.keep("c", "4", 30);
    expect([kept.find("c", 25), kept.size]).toEqual(["4", 1]);
    kept.drop("c");
    expect(kept.size).toBe(0);
  });
});

describe("a turnstile", () => {
  it("lets so many in for each registry, the others in order, and turns away who would wait behind too many", async () => {
    const turnstile = new Turnstile(1, 2);
    const order: string[] = [];
    const enter = async (lane: string, who: string) => {
      if (await turnstile.enter(lane)) order.push(who);
      else order.push(`not ${who}`);
    };
    await enter("a", "a1");
    await enter("b", "b1");
    const waiting = [enter("a", "a2"), enter("a", "a3")];
    await enter("a", "a4");
    expect(order).toEqual(["a1", "b1", "not a4"]);
    turnstile.leave("a");
    await waiting[0];
    turnstile.leave("a");
    await waiting[1];
    turnstile.leave("a");
    await enter("a", "a5");
    expect(order).toEqual(["a1", "b1", "not a4", "a2", "a3", "a5"]);
  });
});
