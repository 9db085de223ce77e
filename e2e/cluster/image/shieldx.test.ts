import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../../images/shieldx/bundle.ts";
import { readImageFiles } from "./shieldx.ts";

const run = promisify(execFile);
const image = join(import.meta.dirname, "..", "..", "..", "images", "shieldx");

/** Instructions of the last stage, continuation lines joined, comments dropped. */
async function lastStage(): Promise<string[]> {
  const text = (await readFile(join(image, "Dockerfile"), "utf8")).replaceAll(/\\\n/g, " ");
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
}

describe("the Dockerfile", () => {
  it("makes the image that files.json describes, and nothing else", async () => {
    const list = await readImageFiles();
    const labels = Object.entries(list.labels).map(([key, value]) => `${key}="${value}"`);
    const environment = Object.entries(list.environment).map(([key, value]) => `${key}=${value}`);
    expect(await lastStage()).toEqual([
      `FROM ${list.base.dockerfile}`,
      `LABEL ${labels.join(" ")}`,
      `ENV ${environment.join(" ")}`,
      `WORKDIR ${list.workingDirectory}`,
      ...list.files.map(({ from, to, mode }) => {
        const source = `/source/${from.replace("{arch}", "image")}`;
        return `COPY --from=build --chmod=${mode} ${source} ${to}`;
      }),
      `USER ${list.user}`,
      `ENTRYPOINT ["${list.entrypoint.join('", "')}"]`,
    ]);
  });

  it("runs as nobody in particular, by number, so that runAsNonRoot can be checked", async () => {
    expect((await readImageFiles()).user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
  });
});

describe("the bundle", () => {
  let folder: string;
  let inputs: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bundle-"));
    inputs = await bundle(join(folder, "one"));
  }, 60_000);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Outside the checkout, so that nothing is found in a node_modules by accident. */
  async function shieldx(...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    const script = join(folder, "one", "shieldx.mjs");
    return await run(process.execPath, [script, ...args], { env: {} }).then(
      (result) => ({ ...result, code: 0 }),
      (error: { stdout: string; stderr: string; code: number }) => error,
    );
  }

  it("explains itself", async () => {
    const { stdout, code } = await shieldx("--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/operator .*\n.*webhooks /);
    expect((await shieldx("--version")).stdout).toMatch(/^shieldx \d+\.\d+\.\d+/);
  });

  it.each(["operator", "webhooks"])("holds all of %s", async (command) => {
    const { stdout, stderr, code } = await shieldx(command, "--help");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("--kubeconfig");
  });

  it.each([[], ["frobnicate"], ["constructor"]])("refuses the command line %j", async (...args) => {
    const { stderr, code } = await shieldx(...args);
    expect(code).toBe(2);
    expect(stderr).toContain("Usage: shieldx COMMAND");
  });

  it("loads late only what still has its names then", async () => {
    const names = (await readdir(join(folder, "one"))).filter((name) => name.endsWith(".mjs"));
    const texts = new Map<string, string>();
    for (const name of names) texts.set(name, await readFile(join(folder, "one", name), "utf8"));
    // Of a CommonJS package a chunk exports the whole only, as default: names taken from it would be undefined.
    const unnamed = names.filter((name) => /export default require_\w+\(\);\s*$/.test(texts.get(name) ?? ""));
    const late = /(.{0,60})\bimport\("\.\/([\w-]+\.mjs)"\)/g;
    const wrong = [...texts.values()].flatMap((text) =>
      [...text.matchAll(late)].filter(
        ([, before = "", name = ""]) => unnamed.includes(name) && !/\{default:\w+\}=await $/.test(before),
      ),
    );
    expect(wrong.map(([found]) => found)).toEqual([]);
  });

  it("is the same every time", async () => {
    await bundle(join(folder, "two"));
    const names = await readdir(join(folder, "one"));
    expect(await readdir(join(folder, "two"))).toEqual(names);
    for (const name of names) {
      const [one, two] = await Promise.all(["one", "two"].map((side) => readFile(join(folder, side, name))));
      expect(one?.equals(two ?? Buffer.alloc(0)), name).toBe(true);
    }
  });

  it("leaves out the client library, tests and test tooling", () => {
    const unwanted = /@kubernetes\/client-node|\.test\.ts|test-kit|^e2e\/|node_modules\/(vitest|esbuild)/;
    expect(inputs.filter((path) => unwanted.test(path))).toEqual([]);
    expect(inputs).toContain("operator/src/main.ts");
    expect(inputs).toContain("webhooks/src/main.ts");
  });
});
