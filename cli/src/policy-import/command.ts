import { access } from "node:fs/promises";
import { basename } from "node:path";
import {
  type Imported,
  importOpaBundle,
  importPolicies,
  type OpaBundleOptions,
  withoutUncompilable,
} from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { type Manifest, readBounded, readManifests } from "../manifests/read.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { placesOf } from "./places.ts";
import { printReport } from "./print.ts";
import { writeFiles, yamlOf } from "./write.ts";

export interface PolicyImportOptions {
  /** Folder for a file each; left out, all go to standard output. */
  readonly output?: string;
  readonly report: "table" | "json" | "sarif";
  readonly failOn: "lost" | "error" | "none";
  readonly bundleUrl?: string;
  readonly entrypoint?: string;
  readonly regoVersion?: "v0" | "v1";
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
}

const bundleName = /\.(tar\.gz|tgz)$/i;
const mostBundleBytes = 64 * 1024 * 1024;

/**
 * `shieldctl policy import`. 0 when everything found is carried over, 1 when something is not, by `--fail-on`; UsageError
 * for input that cannot be read.
 */
export async function runPolicyImport(
  paths: readonly string[],
  options: PolicyImportOptions,
  terminal: Terminal,
): Promise<number> {
  const clear = progress(terminal, "importing …");
  const { imported, manifests } = await read(paths, options).finally(clear);
  if (options.output === undefined) terminal.out(yamlOf(imported));
  else await writeFiles(imported, options.output);
  printReport(imported, placesOf(manifests), options.report, terminal);
  const severities = imported.notes.map(({ severity }) => severity);
  if (options.failOn === "none") return 0;
  return severities.includes("error") || (options.failOn === "lost" && severities.includes("lost")) ? 1 : 0;
}

async function read(
  paths: readonly string[],
  options: PolicyImportOptions,
): Promise<{ imported: Imported; manifests: readonly Manifest[] }> {
  const bundles = paths.filter((path) => bundleName.test(path));
  if (bundles.length === 0 && [options.bundleUrl, options.entrypoint, options.regoVersion].some(isGiven))
    throw new UsageError(
      "NoBundle",
      "--bundle-url, --entrypoint and --rego-version are about OPA bundles: give one (.tar.gz)",
    );
  // Repositories of policies hold other YAML, too.
  const manifests = await readManifests(
    paths.filter((path) => !bundleName.test(path)),
    "skip",
  );
  const parts = [importPolicies({ objects: manifests.map(({ object }) => object) })];
  for (const path of bundles) parts.push(await readBundleFile(path, options));
  const all = together(parts);
  if (all.policies.length === 0 && all.notes.length === 0)
    throw new UsageError(
      "NothingToImport",
      `no policy of Kubernetes, Kyverno, Gatekeeper or OPA in ${paths.join(", ")}`,
    );
  const rego = await compiledRego(
    all.policies.map(({ policy }) => policy),
    options.regoCompiler,
  );
  return { imported: withoutUncompilable(all, rego), manifests };
}

function isGiven(value: unknown): boolean {
  return value !== undefined;
}

async function readBundleFile(path: string, { bundleUrl, entrypoint, regoVersion }: PolicyImportOptions) {
  await access(path).catch((cause: unknown) => {
    throw new UsageError("FileNotFound", `${path}: no such file or folder`, { cause });
  });
  const options: OpaBundleOptions = {
    name: basename(path).replace(bundleName, ""),
    url: bundleUrl,
    entrypoint,
    version: regoVersion,
  };
  return importOpaBundle(await readBounded(path, mostBundleBytes, "leave data out"), options);
}

/** Two parts may give one name: the later policy is then told, and left out. */
function together(parts: readonly Imported[]): Imported {
  const names = new Set<string>();
  const policies: Imported["policies"][number][] = [];
  const notes = parts.flatMap((part) => [...part.notes]);
  for (const each of parts.flatMap((part) => part.policies)) {
    const { name } = each.policy.metadata;
    const [source] = each.from;
    if (!names.has(name)) policies.push(each);
    else if (source !== undefined)
      notes.push({
        source,
        path: "",
        severity: "error",
        message: `another policy is named ${name}, too: rename the file`,
      });
    names.add(name);
  }
  return { policies, notes, left: parts.flatMap(({ left }) => left) };
}
