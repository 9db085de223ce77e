import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "./cache.ts";
import { type BuildInputs, contentKey, moduleFiles } from "./content-key.ts";
import { kubernetesReleases, versionFlags } from "./kubernetes.ts";
import { withLock } from "./lock.ts";
import { applyPatch } from "./patch.ts";
import { BuildCount, progressLine } from "./progress.ts";
import { checkGoVersion, compareVersions, requiredGo } from "./toolchain.ts";

const modules = join(import.meta.dirname, "..", "modules");
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "shieldx-build-test-"));
});
afterAll(async () => {
  await rm(scratch, { recursive: true });
});

describe("the cache folder", () => {
  it("is SHIELDX_CACHE, then XDG_CACHE_HOME, then the home folder's cache", () => {
    const all = { SHIELDX_CACHE: "/a", XDG_CACHE_HOME: "/b", HOME: "/c" };
    expect(cacheFolder(all)).toBe("/a");
    expect(cacheFolder({ ...all, SHIELDX_CACHE: "" })).toBe("/b/shieldx");
    expect(cacheFolder({ HOME: "/c" })).toBe("/c/.cache/shieldx");
  });

  it("ignores a relative XDG_CACHE_HOME, as its specification asks", () => {
    expect(cacheFolder({ XDG_CACHE_HOME: "cache", HOME: "/c" })).toBe("/c/.cache/shieldx");
  });

  it("is temporary for a user without a home", () => {
    expect(cacheFolder({ HOME: "/nonexistent" })).toContain(`${tmpdir()}/shieldx-cache-`);
  });
});

describe("the content key", () => {
  const base: BuildInputs = {
    goVersion: "go1.26.8",
    goos: "linux",
    goarch: "amd64",
    package: ".",
    tags: ["a", "b"],
    ldflags: "-s -w",
    patches: [{ file: "x/y.go", replace: "one", with: "two" }],
    files: new Map([
      ["go.mod", Buffer.from("module m")],
      ["main.go", Buffer.from("package main")],
    ]),
  };

  it("changes with everything that decides the result", () => {
    const variants: Partial<BuildInputs>[] = [
      { goVersion: "go1.26.9" },
      { goos: "wasip1" },
      { goarch: "wasm" },
      { package: "./cmd" },
      { tags: ["a"] },
      { ldflags: "-s" },
      { patches: [] },
      { patches: [{ file: "x/y.go", replace: "one", with: "three" }] },
      { files: new Map([...base.files, ["go.sum", Buffer.from("")]]) },
      { files: new Map([...base.files, ["main.go", Buffer.from("package other")]]) },
    ];
    const keys = [{}, ...variants].map((variant) => contentKey({ ...base, ...variant }));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("depends neither on the order of files nor of tags", () => {
    const files = new Map([...base.files].reverse());
    expect(contentKey({ ...base, files, tags: ["b", "a"] })).toBe(contentKey(base));
  });

  it("does not run a name and a content into each other", () => {
    const text = fc.string({ maxLength: 6 });
    fc.assert(
      fc.property(text, text, text, text, (pathA, contentA, pathB, contentB) => {
        const key = (path: string, content: string) =>
          contentKey({ ...base, files: new Map([[path, Buffer.from(content)]]) });
        const isSame = pathA === pathB && contentA === contentB;
        expect(key(pathA, contentA) === key(pathB, contentB)).toBe(isSame);
      }),
    );
  });

  it("reads what a build reads, not documentation, tests or hidden files", async () => {
    for (const name of ["go.mod", "main.go", "main_test.go", "README.md", ".hidden"]) {
      await writeFile(join(scratch, name), name);
    }
    expect([...(await moduleFiles(scratch)).keys()].sort()).toEqual(["go.mod", "main.go"]);
  });
});

describe("the Go version", () => {
  it("is compared by number", () => {
    expect(compareVersions("1.9", "1.26.0")).toBeLessThan(0);
    expect(compareVersions("1.26.8", "1.26")).toBeGreaterThan(0);
    expect(compareVersions("1.26", "1.26.0")).toBe(0);
  });

  it("is read from the go line", () => {
    expect(requiredGo("module m\n\ngo 1.26.0\n\ngodebug default=go1.24\n")).toBe("1.26.0");
  });

  it("that is too old is named, with the command that installs one", async () => {
    const module = join(modules, "kubernetes-1.37");
    await expect(checkGoVersion(module, "go1.19.8")).rejects.toMatchObject({
      code: "PREREQUISITE",
      message: expect.stringMatching(/go1\.19\.8 is too old.*needs Go 1\.26\.0[\s\S]*curl .*go\.dev\/dl/),
    });
    await expect(checkGoVersion(module, "go1.26.8")).resolves.toBeUndefined();
  });
});

describe("the Kubernetes modules", () => {
  it.each(Object.entries(kubernetesReleases))(
    "%s requires the release that is baked in as %s",
    async (minor, release) => {
      const goMod = await readFile(join(modules, `kubernetes-${minor}`, "go.mod"), "utf8");
      expect(goMod).toContain(`\tk8s.io/kubernetes ${release}\n`);
      const staging = new Set([...goMod.matchAll(/=> k8s\.io\/\S+ (\S+)/g)].map((match) => match[1]));
      expect([...staging]).toEqual([release.replace(/^v1/, "v0")]);
    },
  );

  it("are told their version by the linker", () => {
    expect(versionFlags("v1.34.4")).toContain("-X k8s.io/component-base/version.gitVersion=v1.34.4");
    expect(versionFlags("v1.34.4")).toContain("version.gitMinor=34 ");
  });
});

describe("a source patch", () => {
  const patch = { file: "f.go", replace: "old()", with: "$& new()" };

  it("replaces its text literally", () => {
    expect(applyPatch("a old() b", patch)).toBe("a $& new() b");
  });

  it.each(["nothing here", "old() and old()"])("that does not match once is an error: %s", (source) => {
    expect(() => applyPatch(source, patch)).toThrow(/matches \d times, not once/);
  });
});

describe("the count of a build", () => {
  it("tells packages, downloads and complaints apart, whatever the chunks", () => {
    const output = [
      "go: downloading k8s.io/api v0.37.2",
      "golang.org/x/net/http2",
      "k8s.io/api/core/v1",
      "# shieldx.io/e2e/kubernetes",
      "./main.go:12:2: undefined: nothing",
      "",
    ].join("\n");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), (size) => {
        const count = new BuildCount();
        const complaints: string[] = [];
        for (let at = 0; at < output.length; at += size)
          complaints.push(...count.add(output.slice(at, at + size)));
        complaints.push(...count.end());
        expect({ ...count }).toMatchObject({ compiled: 2, downloaded: 1 });
        expect(complaints).toEqual(["# shieldx.io/e2e/kubernetes", "./main.go:12:2: undefined: nothing"]);
      }),
    );
  });

  it("is shown with the time it has taken", () => {
    const count = new BuildCount();
    count.add("a/b\nc/d\n");
    expect(progressLine("runsc", count, 61_400)).toBe("building runsc: 61 s, 2 packages compiled");
  });
});

describe("the lock", () => {
  it("lets one in at a time", async () => {
    const path = join(scratch, "locks", "one");
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(path, work, { pollMs: 2 })));
    expect(most).toBe(1);
  });

  it("is let go of when the work fails", async () => {
    const path = join(scratch, "locks", "two");
    await expect(withLock(path, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(withLock(path, () => Promise.resolve("yes"))).resolves.toBe("yes");
  });

  it("of a process that died is taken over", async () => {
    const path = join(scratch, "locks", "three");
    await withLock(path, () => Promise.resolve());
    await writeFile(path, JSON.stringify({ pid: process.pid, startedAt: "another boot/1" }));
    await expect(withLock(path, () => Promise.resolve("mine"), { pollMs: 2 })).resolves.toBe("mine");
  });
});
