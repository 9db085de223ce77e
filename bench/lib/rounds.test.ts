import { expect, it } from "vitest";
import { alternating } from "./rounds.ts";

it("runs everybody equally often, one after the other, each first in turn", async () => {
  const order: string[] = [];
  const results = await alternating(3, ["a", "b", "c"], async (name, round) => {
    order.push(name);
    return `${name}${round}`;
  });
  expect(order.join("")).toBe("abcbcacab");
  expect(results).toEqual({ a: ["a0", "a1", "a2"], b: ["b0", "b1", "b2"], c: ["c0", "c1", "c2"] });
});
