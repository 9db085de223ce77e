/** A bundle from its bytes: everything is checked before anything of it is given out. */
import { loadPlan, PlanError, type RegoPlan } from "../plan/index.ts";
import { type BundleArchive, type BundleFiles, inflate, readTar } from "./archive.ts";
import type { Bundle, BundleModule } from "./bundle.ts";
import { baseOf, countValues, DataTree, isDataFile, isYamlData } from "./data-files.ts";
import { patchFile, readPatch } from "./delta.ts";
import { BundleError } from "./errors.ts";
import { type BundleLimits, defaultBundleLimits } from "./limits.ts";
import { manifestFile, type ReadManifest, readManifest } from "./manifest.ts";
import { packageOf } from "./package-name.ts";
import type { Roots } from "./roots.ts";
import { signaturesFile, verifyFiles } from "./signatures.ts";
import { decodeText } from "./text.ts";
import type { BundleVerifier } from "./verifier.ts";

export interface ReadOptions {
  readonly limits?: Partial<BundleLimits>;
  /** With it a bundle must be signed by one of its keys; without it a signed bundle is refused too, as in OPA. */
  readonly verification?: {
    readonly verifier: BundleVerifier;
    /** Milliseconds since 1970, for signatures that expire. */
    readonly nowMs: number;
  };
}

const planFile = "plan.json";

/** Files that mean something at the top of a bundle only. OPA takes some of them from any folder. */
const topFiles: ReadonlySet<string> = new Set([manifestFile, signaturesFile, patchFile, planFile]);

const unsupportedFiles: ReadonlyMap<string, string> = new Map([
  ["policy.wasm", "WebAssembly is not run here: build the bundle without -t wasm"],
  ["plan.pb", "plans are read as JSON: build the bundle with a plan.json"],
  [".manifest.pb", "manifests are read as JSON: build the bundle with a .manifest"],
]);

/** The bundle in a gzipped tar archive. @throws BundleError */
export function readBundle(bytes: Uint8Array, options: ReadOptions = {}): Bundle {
  const limits = { ...defaultBundleLimits, ...options.limits };
  return readUnpacked(inflate(bytes, limits), options);
}

/** As `readBundle`, of the archive as it is before gzip. @throws BundleError */
export function readUnpacked(tar: Uint8Array, options: ReadOptions = {}): Bundle {
  const limits = { ...defaultBundleLimits, ...options.limits };
  const archive = readTar(tar, limits);
  const { files } = archive;
  checkNames(files);
  const values = checkAmounts(files, limits);
  const patch = files.get(patchFile);
  checkSignature(files, patch !== undefined, options.verification);
  const read = readManifest(files.get(manifestFile));
  return patch === undefined ? readSnapshot(archive, read, values) : readDelta(files, patch, read, limits);
}

function checkNames(files: BundleFiles): void {
  for (const path of files.keys()) {
    const base = baseOf(path);
    const unsupported = unsupportedFiles.get(base);
    if (unsupported !== undefined) throw new BundleError("UNSUPPORTED", unsupported, { file: path });
    if (path !== base && topFiles.has(base))
      throw new BundleError("INVALID_FILE", "must lie at the top of the bundle, not in a folder", {
        file: path,
      });
    if (base !== manifestFile && base.endsWith(manifestFile))
      throw new BundleError(
        "INVALID_FILE",
        `would be OPA's manifest: name it otherwise, or ${manifestFile}`,
        {
          file: path,
        },
      );
  }
}

/**
 * How many values all documents have, at most. Counted before any of them is parsed, be it to be verified only: an
 * empty list is two bytes of text and some fifty of memory.
 */
function checkAmounts(files: BundleFiles, limits: BundleLimits): number {
  let values = 0;
  let yamlBytes = 0;
  for (const [path, bytes] of files) {
    const isYaml = isYamlData(baseOf(path));
    if (isYaml) yamlBytes += bytes.length;
    if (isDataFile(baseOf(path)) || topFiles.has(path)) values += countValues(bytes, isYaml);
  }
  if (values > limits.values)
    throw new BundleError(
      "LIMIT_EXCEEDED",
      `the bundle has more than ${limits.values} values in its documents`,
    );
  if (yamlBytes > limits.yamlBytes)
    throw new BundleError(
      "LIMIT_EXCEEDED",
      `the bundle has more than ${limits.yamlBytes} bytes of YAML: write the data as JSON`,
    );
  return values;
}

function checkSignature(
  files: BundleFiles,
  isDelta: boolean,
  verification: ReadOptions["verification"],
): void {
  if (verification === undefined) {
    if (files.has(signaturesFile))
      throw new BundleError(
        "INVALID_SIGNATURE",
        "the bundle is signed, but no key to verify it with is configured",
        {
          file: signaturesFile,
        },
      );
    return;
  }
  // A signature says nothing about what the delta is applied to, and OPA has none for them.
  if (isDelta)
    throw new BundleError(
      "UNSIGNED",
      "a delta cannot be signed, but a key to verify bundles with is configured: serve whole bundles",
      {
        file: patchFile,
      },
    );
  verifyFiles(files, verification.verifier, verification.nowMs);
}

function readSnapshot(
  { files, spellings }: BundleArchive,
  { manifest, versionOf }: ReadManifest,
  values: number,
): Bundle {
  const data = new DataTree();
  const modules: BundleModule[] = [];
  let plan: RegoPlan | undefined;
  for (const [path, bytes] of files) {
    if (path.endsWith(".rego")) {
      const regoVersion = versionOf(spellings.get(path) ?? path);
      modules.push({ ...readModule(path, bytes, manifest.roots), regoVersion });
    } else if (isDataFile(baseOf(path))) data.add(path, bytes);
    else if (path === planFile) plan = readPlan(bytes, manifest.roots);
  }
  const outside = manifest.roots.firstOutside(data.root);
  if (outside !== undefined)
    throw new BundleError(
      "OUTSIDE_ROOTS",
      `there is data at ${placeText(outside)}, but the bundle's roots are ${manifest.roots}`,
    );
  return { kind: "snapshot", manifest, modules, data: data.root, plan, values };
}

function placeText(path: readonly string[]): string {
  return JSON.stringify(path.join("/").slice(0, 200));
}

function readModule(path: string, bytes: Uint8Array, roots: Roots): Omit<BundleModule, "regoVersion"> {
  const source = decodeText(bytes, path);
  const segments = packageOf(source, path);
  if (!roots.contain(segments))
    throw new BundleError(
      "OUTSIDE_ROOTS",
      `its package is ${placeText(segments)}, but the bundle's roots are ${roots}`,
      {
        file: path,
      },
    );
  return { path, source, package: segments };
}

function readPlan(bytes: Uint8Array, roots: Roots): RegoPlan {
  let plan: RegoPlan;
  try {
    plan = loadPlan(JSON.parse(decodeText(bytes, planFile)));
  } catch (error) {
    if (!(error instanceof PlanError || error instanceof SyntaxError)) throw error;
    throw new BundleError("INVALID_FILE", `is no plan of OPA's: ${error.message}`, {
      file: planFile,
      cause: error,
    });
  }
  for (const { name } of plan.plans)
    if (!roots.contain(name.split("/")))
      throw new BundleError(
        "OUTSIDE_ROOTS",
        `answers ${placeText([name])}, but the bundle's roots are ${roots}`,
        {
          file: planFile,
        },
      );
  return plan;
}

function readDelta(
  files: BundleFiles,
  patch: Uint8Array,
  { manifest }: ReadManifest,
  limits: BundleLimits,
): Bundle {
  for (const path of files.keys())
    if (path.endsWith(".rego") || isDataFile(baseOf(path)) || path === planFile)
      throw new BundleError(
        "INVALID_PATCH",
        `a delta changes data by its ${patchFile} alone and may bring no policies or data files`,
        {
          file: path,
        },
      );
  return { kind: "delta", manifest, ...readPatch(patch, manifest.roots, limits) };
}
