// `make release`: everything that is published, into dist/ (or the folder given), the same bytes for the same commit.
// SHIELDX_RELEASE_KEY=key.pem signs it; SHIELDX_RELEASE_IMAGE names where the image will be pushed.
import { execFile } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { buildRegoCompiler } from "../../e2e/cluster/build/index.ts";
import { buildShieldxImage, readImageFiles } from "../../e2e/cluster/image/shieldx.ts";
import { installManifest } from "../../e2e/shieldx/install-manifest.ts";
import { bundle, forNode } from "../../images/shieldx/bundle.ts";
import { packChart } from "./charts.ts";
import { type Component, debianComponents, nodeComponent, npmComponents } from "./components.ts";
import { goComponents } from "./go-modules.ts";
import { type Origin, provenanceOf, type Subject } from "./provenance.ts";
import { sbomOf } from "./sbom.ts";
import { envelopeOf, imagePayload, signBytes } from "./sign.ts";

const run = promisify(execFile);
const publishable = ["packages/controller-runtime", "packages/dot-i-operator"];

async function release(folder: string): Promise<void> {
  const key = await signingKey();
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { version } = JSON.parse(await readFile("operator/package.json", "utf8")) as { version: string };
  const source = await sourceOf();
  const repository = process.env.SHIELDX_RELEASE_IMAGE ?? "registry.example.com/shieldx";

  const image = await buildShieldxImage({ name: `${repository}:${version}`, isCompressed: true });
  await copyFile(image.archive, join(folder, `shieldx-image-${version}-linux-${process.arch}.tar`));
  for (const chart of ["charts/shieldx", "charts/shieldx-policies"]) await packChart(chart, folder);
  const shieldctlInputs = await bundleShieldctl(join(folder, "shieldctl"));
  // Where shieldctl looks for it.
  await copyFile(await buildRegoCompiler(), join(folder, "rego-compiler.wasm"));
  for (const directory of publishable) {
    await run(process.execPath, [join(directory, "scripts", "pack.ts"), folder]);
  }
  const install = await installManifest({ "image.repository": repository, "image.digest": image.digest });
  await writeFile(join(folder, "install.yaml"), install);

  const components = await componentsOf(shieldctlInputs);
  const subject = { version, ...source, imageDigest: image.digest };
  await writeFile(join(folder, "sbom.cdx.json"), sbomOf(subject, components));
  const origin: Origin = {
    version,
    ...source,
    builder: builder(),
    lockfileSha256: await sha256("package-lock.json"),
    components,
  };
  const subjects = [
    ...(await digests(folder)),
    { name: repository, sha256: image.digest.replace("sha256:", "") },
  ];
  const provenance = provenanceOf(origin, subjects);
  await writeFile(join(folder, "provenance.intoto.json"), provenance);
  const sums = (await digests(folder)).map(({ name, sha256: sum }) => `${sum}  ${name}\n`).join("");
  await writeFile(join(folder, "SHA256SUMS"), sums);

  process.stdout.write(`${sums}image ${repository}@${image.digest}\n`);
  if (source.isDirty) process.stderr.write("WARNING: the working tree differs from its commit\n");
  if (key === undefined) {
    process.stderr.write(
      "WARNING: unsigned. Set SHIELDX_RELEASE_KEY to the path of a private key (PEM) to sign.\n",
    );
    return;
  }
  const payload = imagePayload(repository, image.digest);
  await writeFile(join(folder, "SHA256SUMS.sig"), signBytes(Buffer.from(sums), key));
  await writeFile(join(folder, "provenance.dsse.json"), envelopeOf(Buffer.from(provenance), key));
  await writeFile(join(folder, "image.payload.json"), payload);
  await writeFile(join(folder, "image.sig"), signBytes(payload, key).toString("base64"));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "pem" });
  await writeFile(join(folder, "release.pub"), publicKey);
  process.stdout.write("signed: SHA256SUMS, provenance.dsse.json, image.payload.json\n");
}

/** Read before anything is built: a release that was meant to be signed must not end unsigned. */
async function signingKey(): Promise<KeyObject | undefined> {
  const path = process.env.SHIELDX_RELEASE_KEY;
  if (path === undefined || path === "") return undefined;
  return createPrivateKey(await readFile(path));
}

async function git(...args: string[]): Promise<string> {
  return (await run("git", args)).stdout.trim();
}

async function sourceOf(): Promise<{
  repository: string;
  commit: string;
  committedAt: string;
  isDirty: boolean;
}> {
  const seconds = Number(await git("log", "-1", "--format=%ct"));
  return {
    repository: process.env.SHIELDX_RELEASE_SOURCE ?? "https://git.example.com/platform/shieldx.git",
    commit: await git("rev-parse", "HEAD"),
    committedAt: new Date(seconds * 1000).toISOString(),
    isDirty: (await git("status", "--porcelain")) !== "",
  };
}

function builder(): string {
  return process.env.SHIELDX_RELEASE_BUILDER ?? "https://shieldx.io/builders/by-hand";
}

/** One file that needs nothing but Node. */
async function bundleShieldctl(outfile: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: ["cli/src/bin.ts"],
    outfile,
    legalComments: "inline",
    ...forNode,
  });
  return Object.keys(metafile.inputs);
}

async function componentsOf(shieldctlInputs: readonly string[]): Promise<Component[]> {
  const scratch = await mkdtemp(join(tmpdir(), "shieldx-release-"));
  try {
    const inputs = await bundle(join(scratch, "bundle"));
    const { base } = await readImageFiles();
    return [
      ...npmComponents([...inputs, ...shieldctlInputs]),
      nodeComponent(),
      ...(await debianComponents(base.debianPackages)),
      ...(await goComponents()),
    ];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function digests(folder: string): Promise<Subject[]> {
  const names = (await readdir(folder)).sort();
  return await Promise.all(names.map(async (name) => ({ name, sha256: await sha256(join(folder, name)) })));
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

await release(resolve(process.argv[2] ?? "dist"));
