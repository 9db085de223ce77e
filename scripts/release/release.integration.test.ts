import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../e2e/cluster/build/index.ts";
import { writeImageArchive } from "../../e2e/cluster/image/archive.ts";
import type { TarEntry } from "../../e2e/cluster/image/tar.ts";
import { buildHelm, runCommand } from "../../e2e/cluster/index.ts";
import { licencesFile, licenceTexts } from "./go-modules.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..", "..");
let scratch: string;
let keyFile: string;
let dist: string;
let again: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "release-"));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  keyFile = join(scratch, "key.pem");
  await writeFile(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }));
  await buildHelm();
  [dist, again] = await Promise.all([makeRelease("one", keyFile), makeRelease("two", "")]);
}, 900_000);
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** In a checkout of its own, with a cache that holds tools but no image. Changes that are not committed yet come along. */
async function makeRelease(name: string, key: string): Promise<string> {
  const checkout = join(scratch, name, "checkout");
  await run("git", ["clone", "--quiet", "--local", root, checkout]);
  const { stdout: changes } = await run("git", ["-C", root, "diff", "HEAD", "--binary"], {
    maxBuffer: 1 << 28,
  });
  if (changes !== "") {
    await writeFile(join(scratch, name, "changes"), changes);
    await run("git", ["-C", checkout, "apply", "../changes"]);
  }
  // As npm would install them, without the half minute: links to the workspaces are relative.
  await run("cp", ["-al", join(root, "node_modules"), join(checkout, "node_modules")]);
  await run("touch", [join(checkout, "node_modules", ".installed")]);
  const cache = join(scratch, name, "cache");
  await mkdir(cache, { recursive: true });
  for (const tools of ["bin", "debian"]) await symlink(join(cacheFolder(), tools), join(cache, tools));
  const env = { ...process.env, SHIELDX_CACHE: cache, SHIELDX_RELEASE_KEY: key };
  const { stderr } = await run("make", ["release"], { cwd: checkout, env, maxBuffer: 1 << 26 });
  expect(stderr.includes("WARNING: unsigned")).toBe(key === "");
  return join(checkout, "dist");
}

async function verify(folder: string, ...key: string[]): Promise<{ code: number; stderr: string }> {
  const script = join(root, "scripts", "release", "verify.ts");
  return await runCommand(process.execPath, [script, folder, ...key]);
}

async function json<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(dist, name), "utf8")) as T;
}

describe("make release", () => {
  it("gives the same bytes in two checkouts", async () => {
    const sums = await readFile(join(dist, "SHA256SUMS"), "utf8");
    expect(await readFile(join(again, "SHA256SUMS"), "utf8")).toBe(sums);
    expect(sums.trim().split("\n")).toHaveLength(10);
    console.log(sums);
  });

  it("signs what openssl verifies, and leaves no signature without a key", async () => {
    const [signature, sums] = [join(dist, "SHA256SUMS.sig"), join(dist, "SHA256SUMS")];
    const args = ["dgst", "-sha256", "-verify", join(dist, "release.pub"), "-signature", signature, sums];
    expect((await run("openssl", args)).stdout).toContain("Verified OK");
    expect((await run("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: dist })).stdout).toBe("");
    expect((await readdir(again)).filter((name) => /sig|dsse|pub/.test(name))).toEqual([]);
  });

  it("verifies, and does not once a byte, a file, a signature or the key is another", async () => {
    const key = join(dist, "release.pub");
    expect(await verify(dist, key)).toMatchObject({ code: 0, stderr: "" });
    expect(await verify(again)).toMatchObject({ code: 0, stderr: "" });
    expect((await verify(again, key)).stderr).toContain("SHA256SUMS is not signed");

    const broken = join(scratch, "broken");
    const tamper = async (change: (folder: string) => Promise<unknown>) => {
      await rm(broken, { recursive: true, force: true });
      await cp(dist, broken, { recursive: true });
      await change(broken);
      return await verify(broken, key);
    };
    expect(await tamper((folder) => appendFile(join(folder, "install.yaml"), "\n"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("install.yaml was changed"),
    });
    expect((await tamper((folder) => rm(join(folder, "shieldctl")))).stderr).toContain(
      "shieldctl is missing",
    );
    expect((await tamper((folder) => writeFile(join(folder, "more.tgz"), ""))).stderr).toContain(
      "more.tgz is not part",
    );
    const forged = await tamper(async (folder) => {
      await appendFile(join(folder, "install.yaml"), "\n");
      const { stdout } = await run("sh", ["-c", "sha256sum $(cut -c67- SHA256SUMS)"], { cwd: folder });
      await writeFile(join(folder, "SHA256SUMS"), stdout);
    });
    expect(forged.stderr).toContain("SHA256SUMS is not signed");
    expect(forged.stderr).toContain("the provenance does not speak of this install.yaml");
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const other = join(scratch, "other.pub");
    await writeFile(other, publicKey.export({ type: "spki", format: "pem" }));
    expect((await verify(dist, other)).stderr.trim().split("\n")).toHaveLength(3);
  });

  it("says of what it is made: a valid CycloneDX document with a licence for everything", async () => {
    const text = await readFile(join(dist, "sbom.cdx.json"), "utf8");
    const invalid = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
    expect(invalid).toBeNull();
    const { components } = JSON.parse(text) as {
      components: { name: string; purl: string; licenses: { expression: string }[] }[];
    };
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["undici", "zod", "pino", "node", "libc6", "libstdc++6"]));
    expect(names).toEqual(expect.arrayContaining(["github.com/open-policy-agent/opa", "std"]));
    expect(await readFile(join(root, licencesFile), "utf8")).toBe(await licenceTexts());
    expect(new Set(components.map(({ purl }) => purl)).size).toBe(components.length);
    const licences = new Set(components.map(({ licenses }) => licenses[0]?.expression));
    console.log(`${components.length} components under ${[...licences].sort().join(", ")}`);
  });

  it("says where it comes from: commit, lockfile and every artifact's digest", async () => {
    const { subject, predicate } = await json<{
      subject: { name: string; digest: { sha256: string } }[];
      predicate: {
        buildDefinition: { resolvedDependencies: { uri?: string; digest?: { gitCommit?: string } }[] };
      };
    }>("provenance.intoto.json");
    const { stdout: commit } = await run("git", ["-C", dist, "rev-parse", "HEAD"]);
    expect(predicate.buildDefinition.resolvedDependencies[0]?.digest?.gitCommit).toBe(commit.trim());
    const { critical } = await json<{ critical: { image: { "docker-manifest-digest": string } } }>(
      "image.payload.json",
    );
    const digest = critical.image["docker-manifest-digest"].replace("sha256:", "");
    expect(subject.map(({ digest: { sha256 } }) => sha256)).toContain(digest);
    expect(await readFile(join(dist, "install.yaml"), "utf8")).toContain(`@sha256:${digest}`);
  });

  it("makes a shieldctl that needs nothing but Node, and charts that Helm takes", async () => {
    const { stdout } = await run(process.execPath, [join(dist, "shieldctl"), "version", "--client"], {
      env: {},
    });
    expect(stdout).toMatch(/^shieldctl: \d+\.\d+\.\d+/);
    const helm = await buildHelm();
    for (const chart of (await readdir(dist)).filter((name) =>
      /^shieldx-(policies-)?\d.*\.tgz$/.test(name),
    )) {
      const { stdout: rendered } = await run(
        helm,
        ["template", "x", join(dist, chart), "--kube-version", "1.37.2"],
        {
          maxBuffer: 1 << 26,
        },
      );
      expect(rendered).toContain("apiVersion: ");
    }
  });
});

describe("the image", () => {
  it("is compressed at most 25 MB larger than Node and the libraries it needs, measured alone", async () => {
    const archive = (await readdir(dist)).find((name) => name.startsWith("shieldx-image-")) ?? "";
    const image = await layerBytes(join(dist, archive));
    const node = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");
    const { stdout } = await run("ldd", [node]);
    const libraries = stdout.match(/\/\S+/g) ?? [];
    const files = await Promise.all(
      [node, ...libraries].map(async (source): Promise<TarEntry> => {
        const { size: sizeBytes } = await stat(source);
        return { type: "file", path: source.replace(/^\//, ""), mode: 0o755, source, sizeBytes };
      }),
    );
    const base = join(scratch, "base.tar");
    const alone = { name: "base", architecture: "amd64", config: {}, layers: [files] } as const;
    await writeImageArchive(base, [alone], { isCompressed: true });
    const baseBytes = await layerBytes(base);
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
    console.log(
      `image ${megabytes(image)}, base ${megabytes(baseBytes)} (${libraries.length} libraries), ShieldX ${megabytes(image - baseBytes)}`,
    );
    expect(libraries.length).toBeGreaterThan(3);
    expect(image).toBeLessThanOrEqual(baseBytes + 25e6);
  });
});

/** Bytes of all layers, as a registry holds them. */
async function layerBytes(archive: string): Promise<number> {
  const file = async (path: string) =>
    JSON.parse((await run("tar", ["-xOf", archive, path], { maxBuffer: 1 << 26 })).stdout);
  const index = (await file("index.json")) as { manifests: { digest: string }[] };
  const digest = index.manifests[0]?.digest.replace(":", "/");
  const { layers } = (await file(`blobs/${digest}`)) as { layers: { mediaType: string; size: number }[] };
  for (const { mediaType } of layers) expect(mediaType).toContain("+gzip");
  return layers.reduce((sum, { size }) => sum + size, 0);
}
