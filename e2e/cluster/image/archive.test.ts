import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Image, writeImageArchive } from "./archive.ts";
import { buildArchive } from "./build.ts";
import { mergeUsr } from "./debian.ts";
import { imageArchitecture } from "./node-images.ts";
import type { TarEntry } from "./tar.ts";

const run = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "archive-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function image(content: string, name = "docker.io/local/one:test"): Image {
  const entry = (path: string): TarEntry => ({
    type: "file",
    path,
    mode: 0o755,
    content: Buffer.from(content),
  });
  return {
    name,
    architecture: "amd64",
    config: { User: "65532:65532", Entrypoint: ["/bin/one"] },
    layers: [[entry("bin/one")], [entry("etc/two")]],
  };
}

async function unpacked(path: string): Promise<string> {
  const target = await mkdtemp(join(folder, "out-"));
  await run("tar", ["-xf", path, "-C", target]);
  return target;
}

async function blob(layout: string, digest: string): Promise<Buffer> {
  return await readFile(join(layout, "blobs", digest.replace(":", "/")));
}

describe("writeImageArchive", () => {
  it("writes an OCI layout in which every digest and size is true", async () => {
    const path = join(folder, "image.tar");
    const [digest = ""] = await writeImageArchive(path, [image("hello")]);
    const layout = await unpacked(path);
    expect(JSON.parse(await readFile(join(layout, "oci-layout"), "utf8"))).toEqual({
      imageLayoutVersion: "1.0.0",
    });
    for (const name of await readdir(join(layout, "blobs", "sha256"))) {
      const bytes = await blob(layout, `sha256:${name}`);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(name);
    }
    const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
    expect(index.manifests[0].annotations["io.containerd.image.name"]).toBe("docker.io/local/one:test");
    expect(index.manifests[0].digest).toBe(digest);
    const manifest = JSON.parse((await blob(layout, digest)).toString());
    const config = JSON.parse((await blob(layout, manifest.config.digest)).toString());
    expect(config.rootfs.diff_ids).toEqual(manifest.layers.map((layer: { digest: string }) => layer.digest));
    expect(config.config).toEqual({ User: "65532:65532", Entrypoint: ["/bin/one"] });
    for (const described of [manifest.config, ...manifest.layers]) {
      expect((await blob(layout, described.digest)).length).toBe(described.size);
    }
  });

  it("gives the same bytes for the same images, and another digest for others", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name)) as [string, string, string];
    const digests = await writeImageArchive(a, [image("hello")]);
    expect(await writeImageArchive(b, [image("hello")])).toEqual(digests);
    expect((await readFile(a)).equals(await readFile(b))).toBe(true);
    expect(await writeImageArchive(c, [image("other")])).not.toEqual(digests);
  });

  it("holds what two images share once", async () => {
    const path = join(folder, "two.tar");
    const digests = await writeImageArchive(path, [image("same"), image("same", "docker.io/local/two:test")]);
    expect(digests[0]).toBe(digests[1]);
    expect(await readdir(join(await unpacked(path), "blobs", "sha256"))).toHaveLength(4);
  });

  it("leaves no half-written archive behind", async () => {
    const missing: TarEntry = {
      type: "file",
      path: "a",
      mode: 0o644,
      source: join(folder, "gone"),
      sizeBytes: 1,
    };
    await expect(
      writeImageArchive(join(folder, "bad.tar"), [{ ...image("x"), layers: [[missing]] }]),
    ).rejects.toThrow("ENOENT");
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("buildArchive", () => {
  it("builds once per content, also when asked twice at a time", async () => {
    const cache = process.env.SHIELDX_CACHE;
    process.env.SHIELDX_CACHE = folder;
    try {
      const source = join(folder, "program");
      await writeFile(source, "v1");
      const from = (): Image => ({
        ...image("x"),
        layers: [[{ type: "file", path: "program", mode: 0o755, source, sizeBytes: 2 }]],
      });
      const [one, again] = await Promise.all([buildArchive("t", [from()]), buildArchive("t", [from()])]);
      expect(again).toEqual(one);
      await writeFile(source, "v2");
      const other = await buildArchive("t", [from()]);
      expect(other.archive).not.toBe(one.archive);
      expect(other.images[0]?.digest).not.toBe(one.images[0]?.digest);
    } finally {
      if (cache === undefined) delete process.env.SHIELDX_CACHE;
      else process.env.SHIELDX_CACHE = cache;
    }
  });
});

describe("mergeUsr", () => {
  it("has one place for libraries of old and new packages, reachable by both names", () => {
    const paths = (entries: TarEntry[]) => entries.map(({ path }) => path);
    const at = (path: string): TarEntry => ({ type: "file", path, mode: 0o644, content: Buffer.from("") });
    expect(paths(mergeUsr([at("lib/libc.so.6"), { type: "directory", path: "lib", mode: 0o755 }]))).toEqual([
      "usr/lib/libc.so.6",
      "lib",
    ]);
    expect(paths(mergeUsr([at("usr/lib64/ld.so"), at("etc/x")]))).toEqual([
      "usr/lib64/ld.so",
      "etc/x",
      "lib64",
    ]);
  });
});

describe("imageArchitecture", () => {
  it("knows the two it builds for and refuses others by name", () => {
    expect([imageArchitecture("x64"), imageArchitecture("arm64")]).toEqual(["amd64", "arm64"]);
    expect(() => imageArchitecture("riscv64")).toThrow("riscv64");
  });
});
