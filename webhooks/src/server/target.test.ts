import { expect, it } from "vitest";
import { Targets } from "./target.ts";

it("tells path and time, the same on every call", () => {
  const targets = new Targets();
  for (let call = 0; call < 2; call++) {
    expect(targets.of("/admit?timeout=2s")).toEqual({ pathname: "/admit", timeMs: 1_800 });
    expect(targets.of("/admit")).toEqual({ pathname: "/admit", timeMs: 9_500 });
    expect(targets.of("https://[")).toEqual({ pathname: "", timeMs: 9_500 });
  }
});

it("keeps answering rightly however many targets it is asked for", () => {
  const targets = new Targets();
  for (let n = 0; n < 1_000; n++)
    expect(targets.of(`/a${n}?timeout=1s`)).toMatchObject({ pathname: `/a${n}` });
  expect(targets.of("/admit?timeout=3s")).toEqual({ pathname: "/admit", timeMs: 2_700 });
  expect(targets.of(`/${"x".repeat(10_000)}`).pathname).toHaveLength(10_001);
});
