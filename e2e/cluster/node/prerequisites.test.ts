import { describe, expect, it } from "vitest";
import { complaint, missingPrerequisites, prerequisites, shouldInstall } from "./prerequisites.ts";

describe("prerequisites", () => {
  it("finds what is there and misses what is not", async () => {
    const there = { needs: "sh", debianPackage: "dash" };
    const file = { needs: process.execPath, debianPackage: "nodejs" };
    const absent = { needs: "no-such-program-anywhere", debianPackage: "absent" };
    const noFile = { needs: "/no/such/file", debianPackage: "absent" };
    expect(await missingPrerequisites([there, absent, file, noFile])).toEqual([absent, noFile]);
  });

  it("names each missing program and installs each package once", () => {
    const plugins = prerequisites.filter(
      ({ debianPackage }) => debianPackage === "containernetworking-plugins",
    );
    const error = complaint([...plugins, { needs: "runc", debianPackage: "runc" }]);
    expect(error.code).toBe("PREREQUISITE");
    for (const { needs } of plugins) expect(error.message).toContain(needs);
    expect(error.message).toMatch(/apt-get install .* containernetworking-plugins runc\s/);
  });

  it("installs only where that was asked for", () => {
    expect(shouldInstall({})).toBe(false);
    expect(shouldInstall({ SHIELDX_INSTALL: "1" })).toBe(true);
    expect(shouldInstall({ CI: "true" })).toBe(true);
    expect(shouldInstall({ CI: "true", SHIELDX_INSTALL: "0" })).toBe(false);
  });
});
