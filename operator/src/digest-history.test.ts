import { describe, expect, it } from "vitest";
import { DigestHistory } from "./digest-history.ts";

const member = (name: string, generation = 1) => ({ name, uid: `uid-${name}`, generation });

describe("DigestHistory", () => {
  it("knows that a replica on an older set still holds the policies that did not change", () => {
    const history = new DigestHistory();
    history.remember("old", [member("a"), member("b")]);
    history.remember("new", [member("a"), member("b", 2)]);
    expect(history.contains("old", member("a"))).toBe(true);
    expect(history.contains("old", member("b", 2))).toBe(false);
    expect(history.contains("new", member("b", 2))).toBe(true);
    expect(history.contains(undefined, member("a"))).toBe(false);
    expect(history.contains("never seen", member("a"))).toBe(false);
  });

  it("keeps the most recent sets only", () => {
    const history = new DigestHistory(2);
    for (const digest of ["1", "2", "1", "3"]) history.remember(digest, [member("a")]);
    expect(history.contains("2", member("a"))).toBe(false);
    expect(history.contains("1", member("a"))).toBe(true);
  });
});
