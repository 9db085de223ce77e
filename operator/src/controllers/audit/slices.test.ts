import { describe, expect, it } from "vitest";
import { SlicedWork } from "./slices.ts";

describe("SlicedWork", () => {
  it("stops at its budget and goes on where it stopped, live keys first", () => {
    const work = new SlicedWork();
    for (const key of ["a", "b", "c"]) work.addBackground(key);
    work.addLive("live");
    work.addLive("b");
    work.addBackground("live");
    const order: string[] = [];
    let elapsed = 0;
    const slice = () => {
      elapsed = 0;
      return work.runSlice(
        (key) => {
          order.push(key);
          elapsed += 4;
        },
        () => elapsed,
        8,
      );
    };
    expect(slice()).toBe(2);
    expect(order).toEqual(["live", "b"]);
    expect(slice()).toBe(2);
    expect(order).toEqual(["live", "b", "a", "c"]);
    expect(slice()).toBe(0);
    expect(work.size).toBe(0);
  });

  it("does at least one key even when time is already up", () => {
    const work = new SlicedWork();
    work.addBackground("a");
    expect(
      work.runSlice(
        () => undefined,
        () => Number.POSITIVE_INFINITY,
        0,
      ),
    ).toBe(1);
  });
});
