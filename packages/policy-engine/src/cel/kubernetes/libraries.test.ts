import { describe, expect, it } from "vitest";
import { introducedInMinor, kubernetesLibraries, librariesOfMinor } from "./libraries.ts";

describe("kubernetesLibraries", () => {
  it("has each overload once", () => {
    const ids = kubernetesLibraries.flatMap(({ functions }) =>
      functions.flatMap(({ overloads }) => overloads.map(({ id }) => id)),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(100);
  });

  it("knows since when there is what", () => {
    expect(introducedInMinor("string_to_semver")).toBe(33);
    expect(introducedInMinor("string_to_url")).toBe(0);
    expect(introducedInMinor("string_jsonpatch_escapeKey_string")).toBe(32);
    expect(introducedInMinor("add_int64")).toBeUndefined();
    const names = (minor: number) => librariesOfMinor(minor).map(({ name }) => name);
    expect(names(29)).not.toContain("kubernetes.net.ip");
    expect(names(30)).toContain("kubernetes.net.ip");
    expect(names(37)).toHaveLength(kubernetesLibraries.length);
  });
});
