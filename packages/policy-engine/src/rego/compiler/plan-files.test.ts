import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { PlanFiles } from "./plan-files.ts";

const digest = (digit: string) => digit.repeat(64);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "plan-files-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("keeps plans for whoever starts later, and makes its folder", async () => {
  const inner = join(folder, "plans");
  const before = new PlanFiles({ folder: inner });
  expect(await before.get(digest("a"))).toBeUndefined();
  await before.put(digest("a"), "plan");
  expect(await new PlanFiles({ folder: inner }).get(digest("a"))).toBe("plan");
  expect(await readdir(inner)).toEqual([`${digest("a")}.plan.json`]);
});

it("drops the least recently used first, and never what is not its own", async () => {
  await writeFile(join(folder, "notes.txt"), "x".repeat(200));
  const files = new PlanFiles({ folder, mostBytes: 100 });
  for (const [at, name] of ["a", "b", "c"].entries()) {
    await files.put(digest(name), "x".repeat(25));
    await utimes(join(folder, `${digest(name)}.plan.json`), at + 1, at + 1);
  }
  expect(await files.get(digest("a"))).toBeDefined();
  await files.put(digest("d"), "x".repeat(25));
  await files.put(digest("e"), "x".repeat(25));
  const names = (await readdir(folder)).map((name) => name[0]);
  expect(names.sort()).toEqual(["a", "c", "d", "e", "n"]);
  await files.put(digest("f"), "x".repeat(26));
  expect(await files.get(digest("f"))).toBeUndefined();
});

it("tells once that the folder cannot be used, and does without", async () => {
  await writeFile(join(folder, "file"), "");
  const troubles: unknown[] = [];
  const files = new PlanFiles({ folder: join(folder, "file"), onTrouble: (error) => troubles.push(error) });
  await files.put(digest("a"), "plan");
  await files.put(digest("a"), "plan");
  expect(await files.get(digest("a"))).toBeUndefined();
  expect(troubles).toMatchObject([{ code: expect.stringMatching(/EEXIST|ENOTDIR/) }]);
});
