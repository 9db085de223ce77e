import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundleFolder } from "./kept.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldx-kept-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const bytes = (text: string) => Uint8Array.from(Buffer.from(text));

describe("a bundle kept on disk", () => {
  it("is found again, alone, by another process", async () => {
    const store = bundleFolder(join(folder, "made"));
    expect(await store.load(100)).toBeUndefined();
    await store.save({ bytes: bytes("one"), etag: '"1"' });
    await store.save({ bytes: bytes("two"), etag: undefined });
    const found = await bundleFolder(join(folder, "made")).load(100);
    expect(Buffer.from(found!.bytes).toString()).toBe("two");
    expect(found!.etag).toBeUndefined();
    expect(await readdir(join(folder, "made"))).toHaveLength(2);
  });

  it("is not believed when it was changed, is too large or its record is none", async () => {
    const store = bundleFolder(folder);
    await store.save({ bytes: bytes("one"), etag: '"1"' });
    expect(await store.load(2)).toBeUndefined();
    const record = await readFile(join(folder, "current.json"), "utf8");
    const name = (await readdir(folder)).find((each) => each.endsWith(".gz"))!;
    await writeFile(join(folder, name), "ons");
    expect(await store.load(100)).toBeUndefined();
    for (const broken of [
      "",
      "null",
      "[]",
      record.slice(0, -3),
      '{"digest": "../../etc/passwd"}',
      '{"digest": 1}',
    ]) {
      await writeFile(join(folder, "current.json"), broken);
      expect(await store.load(100)).toBeUndefined();
    }
    await rm(join(folder, name));
    await writeFile(join(folder, "current.json"), record);
    expect(await store.load(100)).toBeUndefined();
  });
});
