import { execFile } from "node:child_process";
import { mkdtemp, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TarEntry, tarArchive, withParents } from "./tar.ts";

const run = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tar-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function bytesOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of tarArchive(entries)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The archive as GNU tar unpacks it: the one that is not ours. */
async function unpack(entries: readonly TarEntry[]): Promise<string> {
  const target = await mkdtemp(join(folder, "out-"));
  await writeFile(join(folder, "a.tar"), await bytesOf(entries));
  await run("tar", ["-xpf", join(folder, "a.tar"), "-C", target]);
  return target;
}

const file = (path: string, content = "x", mode = 0o644): TarEntry => ({
  type: "file",
  path,
  mode,
  content: Buffer.from(content),
});

describe("tarArchive", () => {
  it("is read by tar: content, mode, link target, folder", async () => {
    const target = await unpack([
      { type: "directory", path: "etc", mode: 0o750 },
      file("etc/motd", "hello\n", 0o600),
      file("empty", ""),
      { type: "symlink", path: "link", mode: 0o777, target: "etc/motd" },
    ]);
    expect(await readFile(join(target, "etc/motd"), "utf8")).toBe("hello\n");
    expect((await stat(join(target, "etc/motd"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(target, "etc"))).mode & 0o777).toBe(0o750);
    expect((await stat(join(target, "empty"))).size).toBe(0);
    expect(await readlink(join(target, "link"))).toBe("etc/motd");
  });

  it("keeps owners and the time zero", async () => {
    await writeFile(join(folder, "a.tar"), await bytesOf([{ ...file("a"), uid: 65532, gid: 65532 }]));
    const { stdout } = await run("tar", ["--numeric-owner", "--utc", "-tvf", join(folder, "a.tar")]);
    expect(stdout).toMatch(/^-rw-r--r-- 65532\/65532 +1 1970-01-01 00:00 a$/m);
  });

  it("carries names and targets too long for a header, also in other scripts", async () => {
    const names = ["d".repeat(90), "e".repeat(90), "ü".repeat(80)];
    const path = names.join("/");
    const long = "n".repeat(150);
    const target = await unpack(
      withParents([
        file(path, "deep"),
        file(long, "flat"),
        { type: "symlink", path: "l", mode: 0o777, target: path },
      ]),
    );
    expect(await readFile(join(target, path), "utf8")).toBe("deep");
    expect(await readFile(join(target, long), "utf8")).toBe("flat");
    expect(await readlink(join(target, "l"))).toBe(path);
  });

  it("gives back any content at any path", async () => {
    const name = fc
      .stringMatching(/^[A-Za-z0-9 ._ä-]{1,60}$/)
      .filter((part) => part !== "." && part !== "..");
    const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
    await fc.assert(
      fc.asyncProperty(path, fc.uint8Array({ maxLength: 2_000 }), async (at, content) => {
        const target = await unpack(withParents([{ type: "file", path: at, mode: 0o644, content }]));
        expect(Buffer.compare(await readFile(join(target, at)), content)).toBe(0);
      }),
      { numRuns: 25 },
    );
  });

  it("reads files of the host, and notices one that changed its size meanwhile", async () => {
    const source = join(folder, "source");
    await writeFile(source, "12345");
    const entry: TarEntry = { type: "file", path: "copy", mode: 0o644, source, sizeBytes: 5 };
    expect(await readFile(join(await unpack([entry]), "copy"), "utf8")).toBe("12345");
    await writeFile(source, "123456");
    await expect(bytesOf([entry])).rejects.toThrow("has 6 bytes, not 5");
  });

  it.each(["/etc/passwd", "../up", "a/../b", "", "a//b", "./a", "a\0b"])(
    "refuses the path %j",
    async (path) => {
      await expect(bytesOf([file(path)])).rejects.toThrow(RangeError);
    },
  );
});

describe("withParents", () => {
  it("adds each missing folder once, before what is in it, and keeps given ones", () => {
    const given: TarEntry = { type: "directory", path: "a/b", mode: 0o700 };
    const entries = withParents([file("a/b/two"), file("a/b/one"), given]);
    expect(entries.map(({ path, mode }) => [path, mode])).toEqual([
      ["a", 0o755],
      ["a/b", 0o700],
      ["a/b/one", 0o644],
      ["a/b/two", 0o644],
    ]);
  });
});
