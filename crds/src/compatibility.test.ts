import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compareSets, main, presentCrds, readBaseline } from "./compatibility.ts";

const present = presentCrds();
const file = "shieldpolicies.yaml";
const changed = (from: string, to: string) => {
  const text = present[file] ?? "";
  expect(text).toContain(from);
  return { ...present, [file]: text.replace(from, to) };
};

describe("compareSets", () => {
  it("names version, field and change", () => {
    expect(compareSets(present, changed("- restricted\n", "- hardened\n"))).toEqual([
      {
        file,
        incompatibilities: [
          { path: "v1alpha1 spec.podSecurity.level", change: 'value "restricted" was removed' },
        ],
      },
    ]);
  });

  it.each([
    ["served: true", "served: false", "version is no longer served"],
    ["scope: Cluster", "scope: Namespaced", "changed from Cluster to Namespaced"],
    ["- spol", "- sp", "spol was removed"],
    ["kind: ShieldPolicy\n", "kind: Policy\n", "changed from ShieldPolicy to Policy"],
    ["subresources:\n        status: {}\n", "", "status subresource was removed"],
  ])("reports %s -> %s", (from, to, change) => {
    const changes = compareSets(present, changed(from, to)).flatMap(
      ({ incompatibilities }) => incompatibilities,
    );
    expect(changes.map((one) => one.change)).toContain(change);
  });

  it("reports kinds that are gone and kinds without a baseline", () => {
    const { [file]: _gone, ...rest } = present;
    expect(compareSets(present, rest)[0]?.incompatibilities[0]?.change).toBe("kind was removed");
    expect(compareSets(rest, present)[0]?.incompatibilities[0]?.change).toContain("has no baseline");
  });
});

describe("the command", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "shieldx-baseline-"));
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(console, "log").mockImplementation(() => undefined);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  it("fails without a baseline, and passes once it is accepted", async () => {
    expect(await main([], join(folder, "baseline"))).toBe(1);
    expect(await main(["--accept"], join(folder, "baseline"))).toBe(0);
    expect(await main([], join(folder, "baseline"))).toBe(0);
    expect(await readBaseline(join(folder, "baseline"))).toEqual(present);
  });

  it("holds for the baseline in the repository", async () => {
    expect(await main([], fileURLToPath(new URL("../baseline/", import.meta.url)))).toBe(0);
  });
});
