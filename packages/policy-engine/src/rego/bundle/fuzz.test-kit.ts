/** Bundles spoilt by lot, from single bits of the archive to fields of manifests, patches and signatures. */
import { gzipSync } from "node:zlib";
import type { FuzzTarget } from "../../../testing/fuzz.ts";
import { Random } from "../../../testing/random.ts";
import { everyStatement } from "../plan.test-kit.ts";
import {
  type Files,
  type RawEntry,
  sampleFiles,
  signed,
  tarEnd,
  tarEntry,
  tarOfFiles,
} from "./bundle.test-kit.ts";
import type { Bundle, SnapshotBundle } from "./bundle.ts";
import { applyDelta } from "./delta.ts";
import { BundleError } from "./errors.ts";
import { type ReadOptions, readBundle, readUnpacked } from "./read.ts";
import { bundleVerifier } from "./verifier.ts";

const secret = "0123456789abcdef0123456789abcdef";
const verification = {
  verifier: bundleVerifier({ keys: { main: { key: secret, algorithm: "HS256" } } }),
  nowMs: Date.UTC(2026, 0, 1),
};
const limits = {
  inflatedBytes: 1 << 20,
  files: 50,
  values: 10_000,
  yamlBytes: 10_000,
  pathBytes: 200,
  depth: 12,
};

const smallFiles: Files = {
  ".manifest": {
    revision: "r1",
    roots: ["shop", "roles"],
    file_rego_versions: { "/old/*.rego": 0 },
    metadata: {},
  },
  "shop/policy.rego": "# Who.\npackage shop.orders\n\nallow := true\n",
  "roles/data.json": { admins: ["ann", "bob"], limits: { a: 1, b: 1.5 } },
};
const patch: Files = {
  ".manifest": { revision: "r2", roots: ["shop", "roles"] },
  "patch.json": {
    data: [
      { op: "upsert", path: "/roles/admins/-", value: { x: [1] } },
      { op: "replace", path: "/roles/limits/a", value: null },
      { op: "remove", path: "/roles/admins/0" },
      { op: "upsert", path: "/shop/~1a%20b/c", value: "d" },
    ],
  },
};

interface Sample {
  readonly files: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, Buffer>;
  readonly tar: Buffer;
  readonly options: ReadOptions;
  readonly isSigned: boolean;
  readonly weight: number;
}

function sample(files: Files, weight: number, isSigned = false): Sample {
  const texts = Object.fromEntries(
    Object.entries(files).map(([name, content]) => [
      name,
      typeof content === "string" ? content : JSON.stringify(content),
    ]),
  );
  return {
    files: texts,
    entries: new Map(Object.entries(texts).map(([name, content]) => [name, tarEntry({ name, content })])),
    tar: tarOfFiles(texts),
    options: isSigned ? { limits, verification } : { limits },
    isSigned,
    weight,
  };
}

/** Those that are slow to read come less often. */
const samples = [
  sample(smallFiles, 6),
  sample(patch, 6),
  sample(signed(smallFiles, { secret }), 4, true),
  sample({ ".manifest": { roots: ["test"] }, "plan.json": everyStatement() }, 1),
  sample(sampleFiles, 1),
].flatMap((each) => Array<Sample>(each.weight).fill(each));

const base = readUnpacked(tarOfFiles(smallFiles)) as SnapshotBundle;
const baseText = JSON.stringify(contentOf(base));

const pieces = [
  ...[
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "\\u0000",
    "\\ud800",
    "\u2028",
    "é",
    "\0",
  ],
  ...[
    "__proto__",
    "constructor",
    "/",
    "../",
    ".",
    "~",
    "%2F",
    "%",
    "-",
    "*",
    "package ",
    "a.b",
    '["x"]',
    "`",
    "#",
    "\n",
  ],
  ...[
    "roots",
    "data",
    "op",
    "path",
    "value",
    "upsert",
    "remove",
    "shop",
    "roles",
    "signatures",
    "wasm",
    "revision",
  ],
  ...[
    "patch.json",
    ".manifest",
    ".signatures.json",
    "data.yaml",
    "plan.json",
    "policy.wasm",
    "x.rego",
    "[".repeat(2_000),
  ],
] as const;

const flags = ["0", "1", "2", "3", "5", "7", "L", "K", "g", "x", "S", "\0", "é"] as const;

function editedText(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const end = at + random.below(random.chance(0.8) ? 4 : text.length);
  return text.slice(0, at) + (random.chance(0.8) ? random.pick(pieces) : "") + text.slice(end);
}

/** The archive with one entry made anew. */
function rebuilt(
  { entries, files }: Sample,
  name: string,
  change: Partial<RawEntry>,
  ...more: Buffer[]
): Buffer {
  const changed = tarEntry({ name, content: files[name] ?? "", ...change });
  return Buffer.concat([
    ...Array.from(entries, ([each, bytes]) => (each === name ? changed : bytes)),
    ...more,
    tarEnd,
  ]);
}

/** One file changed, renamed, doubled or of another type. */
function editedFiles(chosen: Sample, random: Random): Buffer {
  const name = random.pick([...chosen.entries.keys()]);
  switch (random.below(6)) {
    case 0:
      return rebuilt(chosen, name, { name: editedText(name, random) });
    case 1:
      return rebuilt(chosen, name, {}, tarEntry({ name: random.chance(0.5) ? name : random.pick(pieces) }));
    case 2:
      return rebuilt(chosen, name, { flag: random.pick(flags) });
    case 3:
      return rebuilt(chosen, name, { size: random.pick([0, 1, 511, 513, 4_096, 0o77777777777]) });
    default: {
      const content = editedText(chosen.files[name] ?? "", random);
      const isResigned = chosen.isSigned && random.chance(0.3);
      return (
        (isResigned ? signedAnew({ ...chosen.files, [name]: content }) : undefined) ??
        rebuilt(chosen, name, { content })
      );
    }
  }
}

/** So that a change gets past the signature; undefined where a document cannot even be hashed. */
function signedAnew({ ".signatures.json": _before, ...files }: Files): Buffer | undefined {
  try {
    return tarOfFiles(signed(files, { secret }));
  } catch (error) {
    if (error instanceof BundleError) return undefined;
    throw error;
  }
}

function editedBytes(tar: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(tar);
  for (let times = 1 + random.below(3); times > 0; times -= 1)
    bytes[random.below(bytes.length)] = random.below(256);
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length));
    case 1: {
      const block = 512 * random.below(bytes.length / 512);
      return Buffer.concat([
        bytes.subarray(0, block),
        tarEntry({ name: random.pick(pieces), flag: random.pick(flags), content: random.pick(pieces) }),
        bytes.subarray(block),
      ]);
    }
    default:
      return bytes;
  }
}

function contentOf({ manifest, modules, data }: SnapshotBundle): unknown {
  return [manifest.revision, manifest.roots.paths, modules, data];
}

/** What holds of every bundle that is read. */
function check(bundle: Bundle, isUnsignedChange: boolean): string {
  if (bundle.kind === "delta") {
    try {
      const after = applyDelta(base, bundle);
      if (after.manifest.roots.firstOutside(after.data) !== undefined)
        throw new Error("a delta left the roots");
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
    }
    if (JSON.stringify(contentOf(base)) !== baseText)
      throw new Error("a delta changed what it was applied to");
    return "delta";
  }
  if (bundle.manifest.roots.firstOutside(bundle.data) !== undefined)
    throw new Error("data outside of the roots");
  if (isUnsignedChange && JSON.stringify(contentOf(bundle)) !== baseText)
    throw new Error("a change got past the signature");
  return "read";
}

export const bundleTarget: FuzzTarget = {
  name: "bundle reader",
  run(seed) {
    const random = new Random(seed);
    const chosen = random.pick(samples);
    const asFiles = random.chance(0.75);
    const tar = asFiles ? editedFiles(chosen, random) : editedBytes(chosen.tar, random);
    try {
      if (!random.chance(0.02)) return check(readUnpacked(tar, chosen.options), chosen.isSigned && !asFiles);
      const gzip = gzipSync(tar, { level: 1 });
      gzip[random.below(gzip.length)] = random.below(256);
      return check(readBundle(gzip, chosen.options), false);
    } catch (error) {
      if (error instanceof BundleError) return error.code;
      throw error;
    }
  },
};
