import { execFile } from "node:child_process";
import { access, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildGoBinary } from "./go-binary.ts";
import { publishedFile, publishedManifest } from "./published.ts";

const run = promisify(execFile);
let scratch: string;
let module: string;
const formerCache = process.env.SHIELDX_CACHE;

const main = (text: string) => `package main\n\nfunc main() { println("${text}") }\n`;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "shieldx-go-test-"));
  module = await mkdtemp(join(scratch, "module-"));
  process.env.SHIELDX_CACHE = join(scratch, "cache");
  await writeFile(join(module, "go.mod"), "module example.invalid/hello\n\ngo 1.24\n");
  await writeFile(join(module, "main.go"), main("one"));
});
afterAll(async () => {
  if (formerCache === undefined) delete process.env.SHIELDX_CACHE;
  else process.env.SHIELDX_CACHE = formerCache;
  await rm(scratch, { recursive: true });
});

describe("buildGoBinary", () => {
  it("builds once per content, also when asked twice at the same time", async () => {
    const paths = await Promise.all([1, 2].map(() => buildGoBinary({ module, output: "hello" })));
    expect(paths[0]).toBe(paths[1]);
    expect((await run(paths[0]!)).stderr).toBe("one\n");

    await writeFile(join(module, "main.go"), main("two"));
    const changed = await buildGoBinary({ module, output: "hello" });
    expect(changed).not.toBe(paths[0]);
    expect((await run(changed)).stderr).toBe("two\n");
    await access(paths[0]!);
    expect(await readdir(join(scratch, "cache", "tmp"))).toEqual([]);
  });

  it("builds for another platform", async () => {
    const path = await buildGoBinary({ module, output: "hello.wasm", goos: "wasip1", goarch: "wasm" });
    expect(dirname(path)).toContain("hello.wasm-");
  });

  it("shows what the compiler said and leaves nothing in the cache", async () => {
    await writeFile(join(module, "main.go"), "package main\n\nfunc main() { nothing() }\n");
    await expect(buildGoBinary({ module, output: "broken" })).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("undefined: nothing"),
    });
    expect(
      (await readdir(join(scratch, "cache", "bin"))).filter((name) => name.startsWith("broken")),
    ).toEqual([]);
  });
});

describe("a published manifest", () => {
  it.each(["argo-cd", "cloudnative-pg", "metallb"] as const)("%s comes from its module", async (name) => {
    await access(await publishedManifest(name));
  });

  it("whose hash is not the pinned one is refused", async () => {
    const module = { path: "go.universe.tf/metallb", version: "v0.16.2", sum: "h1:another=" };
    await expect(publishedFile(module, "README.md")).rejects.toThrow(/pinned is h1:another=/);
  });
});
