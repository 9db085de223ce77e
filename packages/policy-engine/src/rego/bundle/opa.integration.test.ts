/** What OPA's own command builds and signs is read here, and what it refuses is refused. */
import { execFile } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtOpa } from "../../../testing/opa.ts";
import { builtins } from "../builtins/index.ts";
import { compileRego } from "../evaluate/index.ts";
import { bundleOf, type Files } from "./bundle.test-kit.ts";
import type { SnapshotBundle } from "./bundle.ts";
import { applyDelta, BundleError, bundleVerifier, readBundle, type VerificationKey } from "./index.ts";

const opa = await builtOpa();
const run = promisify(execFile);
const nowMs = Date.UTC(2026, 5, 1);

const sources: Files = {
  ".manifest": { roots: ["shop", "roles"], metadata: { team: "payments" } },
  "shop/policy.rego":
    "package shop.orders\n\n# METADATA\n# entrypoint: true\nallow if input.user in data.roles.admins\n\nunused := 1\n",
  "roles/data.json":
    '{"admins": ["ann", "bob"], "odd": {"é\\u2028<&>\\u0007\\"": [1, 1.0, 1e2, -0.5, 12345678901234567890, true, null]}}',
  "shop/prices/data.yaml": "apple: 1\npear: 2.50\nyes: on\nbig: 1e3\n'2': x\n",
};

let folder: string;

async function write(root: string, files: Files): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
  }
  return root;
}

/** The output of `opa build`, from a fresh copy of the sources. */
async function build(...args: string[]): Promise<Uint8Array> {
  const output = join(folder, "built.tar.gz");
  await rm(output, { force: true });
  await run(opa!, ["build", "--bundle", join(folder, "sources"), "--output", output, ...args]);
  return await readFile(output);
}

async function snapshot(...args: string[]): Promise<SnapshotBundle> {
  const bundle = readBundle(await build(...args));
  if (bundle.kind !== "snapshot") throw new Error("a delta");
  return bundle;
}

/** What OPA makes of a bundle. */
async function dataOf(bytes: Uint8Array): Promise<unknown> {
  const file = join(folder, "read.tar.gz");
  await writeFile(file, bytes);
  const { stdout } = await run(opa!, ["eval", "--bundle", file, "--format", "raw", "json.marshal(data)"]);
  return JSON.parse(stdout);
}

const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? Number(item) : item)));

describe.skipIf(opa === undefined)("bundles of OPA", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "shieldx-bundle-"));
    await write(join(folder, "sources"), sources);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("are read as OPA reads them", async () => {
    const bytes = await build("--revision", "r7");
    const bundle = readBundle(bytes) as SnapshotBundle;
    expect(bundle.manifest.revision).toBe("r7");
    expect(bundle.manifest.roots.paths).toEqual(["shop", "roles"]);
    expect(plain(bundle.manifest.metadata)).toEqual({ team: "payments" });
    expect(bundle.modules.map(({ package: name, regoVersion }) => [name, regoVersion])).toEqual([
      [["shop", "orders"], "v1"],
    ]);
    const asOpa = (await dataOf(bytes)) as { shop: Record<string, unknown>; roles: unknown };
    delete asOpa.shop.orders;
    expect(plain(bundle.data)).toEqual({ shop: asOpa.shop, roles: asOpa.roles });
  });

  it.each([
    ["optimised", ["-O", "1", "-e", "shop/orders/allow"]],
    ["optimised further", ["-O", "2", "-e", "shop/orders"]],
    ["without what is unused", ["-e", "shop/orders/allow", "--prune-unused"]],
    ["for older versions", ["--v0-compatible", "--ignore", "*.rego"]],
    ["without files that are ignored", ["--ignore", "*.yaml"]],
    ["for capabilities of a version", ["--capabilities", "v1.0.0"]],
  ])("are read %s", async (_what, args) => {
    const bundle = await snapshot(...args);
    expect(bundle.manifest.roots.paths.length).toBeGreaterThan(0);
    expect(Object.keys(bundle.data)).toContain("roles");
  });

  it("bring plans that run", async () => {
    const bundle = await snapshot("-t", "plan", "-e", "shop/orders/allow");
    const policy = compileRego(bundle.plan!, builtins);
    const ask = (user: string) =>
      policy.evaluate("shop/orders/allow", { input: { user }, data: bundle.data, context: { nowNs: 0n } })[0]
        ?.result;
    expect(ask("ann")).toBe(true);
    expect(ask("eve")).toBeUndefined();
  });

  it.each([
    ["WebAssembly", ["-t", "wasm", "-e", "shop/orders/allow"]],
    ["a plan as protobuf", ["-t", "plan", "--format", "proto", "-e", "shop/orders/allow"]],
  ])("with %s are refused by name", async (_what, args) => {
    const bytes = await build(...args);
    expect(() => readBundle(bytes)).toThrow(/policy\.wasm|plan\.pb|\.manifest/);
  });

  it("with modules of several versions of Rego say which is which", async () => {
    await write(join(folder, "v0"), {
      ".manifest": { roots: ["old"], rego_version: 0 },
      "old/x.rego": "package old\n\nallow { true }\n",
    });
    const bundle = await snapshot("--bundle", join(folder, "v0"));
    expect(bundle.modules.map(({ package: name, regoVersion }) => [name[0], regoVersion]).sort()).toEqual([
      ["old", "v0"],
      ["shop", "v1"],
    ]);
  });

  it.each<[object]>([
    [{ rego_version: 0 }],
    [{ rego_version: 0, file_rego_versions: { "/shop/policy.rego": 1 } }],
    [{ file_rego_versions: { "/old/*": 0 } }],
    [{ file_rego_versions: { "*/deep/*.rego": 0, "/shop/*": 1 } }],
    [{ file_rego_versions: { "/{old,new}/**/{x,y}.rego": 0, "/shop/p[a-n]*": 0 } }],
    [{ file_rego_versions: { "/*": 0, "/shop/**": 1 } }],
    [{ file_rego_versions: { "/o?d/*": 1, "/old/deep/x.rego": 0, "/\uffee*": 0, "/\u{1f600}*": 0 } }],
    [{ rego_version: 0, file_rego_versions: { "/shop/policy.reg": 1, "shop/policy.rego": 1, "/old": 1 } }],
  ])("have modules of the versions that OPA takes %j for", async (versions) => {
    // Each of these can be read in one version of the language only.
    const written = { v0: "deny[x] { x := 1 }", v1: "deny contains x if { x := 1 }", v2: "" };
    const paths = { "old/deep/x.rego": "old", "shop/policy.rego": "shop" };
    // As `opa build`, `tar` of a folder, and `tar` of files spell paths.
    for (const start of ["/", "./", ""]) {
      const filesWith = (source: (path: string) => string): Files => ({
        [`${start}.manifest`]: { roots: ["old", "shop"], ...versions },
        ...Object.fromEntries(
          Object.entries(paths).map(([path, name]) => [start + path, `package ${name}\n\n${source(path)}\n`]),
        ),
      });
      const read = readBundle(bundleOf(filesWith(() => "x := 1"))) as SnapshotBundle;
      const version = new Map(read.modules.map(({ path, regoVersion }) => [path, regoVersion ?? "v1"]));
      const bytes = bundleOf(filesWith((path) => written[version.get(path) ?? "v2"]));
      expect(await dataOf(bytes), start).toEqual({ old: { deny: [1] }, shop: { deny: [1] } });
    }
  });

  it("are changed by a delta as by OPA's server", async () => {
    const { stdout } = await run("tar", ["--version"]).catch(() => ({ stdout: "" }));
    if (!stdout.includes("GNU tar")) return;
    await write(join(folder, "delta"), {
      ".manifest": { roots: ["shop", "roles"], revision: "r8" },
      "patch.json": {
        data: [
          { op: "upsert", path: "/roles/admins/-", value: "eve" },
          { op: "remove", path: "roles/odd" },
        ],
      },
    });
    const archive = join(folder, "delta.tar.gz");
    await run("tar", ["-C", join(folder, "delta"), "-czf", archive, "."]);
    const delta = readBundle(await readFile(archive));
    if (delta.kind !== "delta") throw new Error("no delta");
    const after = applyDelta(await snapshot(), delta);
    expect(plain(after.data.roles)).toEqual({ admins: ["ann", "bob", "eve"] });
    expect(after.manifest.revision).toBe("r8");
  });

  describe("that are signed", () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const secret = "0123456789abcdef".repeat(4);
    const curve = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });
    const pem = (key: KeyObject, type: "spki" | "pkcs8") => key.export({ type, format: "pem" }).toString();
    const ofPair = (pair: { publicKey: KeyObject; privateKey: KeyObject }, ...algorithms: string[]) =>
      algorithms.map((algorithm) => ({
        algorithm,
        signingKey: pem(pair.privateKey, "pkcs8"),
        key: pem(pair.publicKey, "spki"),
      }));
    const signers: (VerificationKey & { signingKey: string; algorithm: string })[] = [
      ...ofPair(rsa, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
      ...ofPair(curve("P-256"), "ES256"),
      ...ofPair(curve("P-384"), "ES384"),
      ...ofPair(curve("P-521"), "ES512"),
      ...ofPair(generateKeyPairSync("ed25519"), "EdDSA"),
      ...["HS256", "HS384", "HS512"].map((algorithm) => ({ algorithm, signingKey: secret, key: secret })),
    ];

    async function signedBy(signingKey: string, algorithm: string, claims?: object): Promise<Uint8Array> {
      const key = signingKey.startsWith("-----") ? join(folder, "key.pem") : signingKey;
      if (key !== signingKey) await writeFile(key, signingKey);
      const extra: string[] = [];
      if (claims !== undefined) {
        await writeFile(join(folder, "claims.json"), JSON.stringify(claims));
        extra.push("--claims-file", join(folder, "claims.json"));
      }
      return await build("--signing-key", key, "--signing-alg", algorithm, ...extra);
    }

    it.each(signers)("with $algorithm are verified", async ({ algorithm, signingKey, key }) => {
      const bytes = await signedBy(signingKey, algorithm);
      const read = (given: VerificationKey) =>
        readBundle(bytes, { verification: { verifier: bundleVerifier({ keys: { main: given } }), nowMs } });
      expect(read({ key, algorithm }).kind).toBe("snapshot");
      const other = signers.find((signer) => signer.algorithm !== algorithm && signer.key !== key)!;
      expect(() => read({ key: other.key, algorithm: other.algorithm })).toThrow(BundleError);
    });

    it("are verified with their key id and scope", async () => {
      const bytes = await signedBy(secret, "HS256", { keyid: "main", scope: "write" });
      const keys = {
        main: { key: secret, algorithm: "HS256" },
        other: { key: secret.toUpperCase(), algorithm: "HS256" },
      };
      const read = (scope?: string) =>
        readBundle(bytes, {
          verification: {
            verifier: bundleVerifier({ keys, ...(scope === undefined ? {} : { scope }) }),
            nowMs,
          },
        });
      expect(read("write").kind).toBe("snapshot");
      expect(() => read()).toThrow('is for scope "write"');
    });

    it("apart from the bundle, by opa sign, are verified too", async () => {
      const root = join(folder, "signed");
      await cp(join(folder, "sources"), root, { recursive: true });
      // The names in the signature are those seen from where it is run.
      const args = ["--bundle", ".", "--signing-key", secret, "--signing-alg", "HS256"];
      await run(opa!, ["sign", ...args], { cwd: root });
      const names = [...Object.keys(sources), ".signatures.json"];
      const files = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await readFile(join(root, name))] as const)),
      );
      const verification = {
        verifier: bundleVerifier({ keys: { main: { key: secret, algorithm: "HS256" } } }),
        nowMs,
      };
      expect(readBundle(bundleOf(files), { verification }).kind).toBe("snapshot");
      const changed = { ...files, "roles/data.json": Buffer.from('{"admins": ["eve"]}') };
      expect(() => readBundle(bundleOf(changed), { verification })).toThrow(
        'another hash for "roles/data.json"',
      );
    });
  });
});
