/**
 * Fails when a kind changed incompatibly within a served version. `crds/baseline/` holds the CRDs people may have
 * installed; `--accept` makes the present ones the new baseline, which is a release's business.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { compareCrds } from "./compatibility/compare-crds.ts";
import type { Incompatibility } from "./compatibility/compare-schemas.ts";
import type { CustomResourceDefinition } from "./definition/custom-resource-definition.ts";
import { crdYaml } from "./generate.ts";
import { kinds } from "./kinds.ts";

/** What is wrong with one kind. */
export interface KindReport {
  file: string;
  incompatibilities: Incompatibility[];
}

/** Compares two sets of CRDs (YAML by file name). Kinds that are new have no baseline and are reported as such. */
export function compareSets(
  baseline: Readonly<Record<string, string>>,
  present: Readonly<Record<string, string>>,
): KindReport[] {
  const reports: KindReport[] = [];
  for (const [file, text] of Object.entries(baseline)) {
    const now = present[file];
    const incompatibilities =
      now === undefined
        ? [{ path: "", change: "kind was removed" }]
        : compareCrds(parse(text) as CustomResourceDefinition, parse(now) as CustomResourceDefinition);
    if (incompatibilities.length > 0) reports.push({ file, incompatibilities });
  }
  for (const file of Object.keys(present)) {
    if (baseline[file] !== undefined) continue;
    const change = "has no baseline: record it with node crds/src/compatibility.ts --accept";
    reports.push({ file, incompatibilities: [{ path: "", change }] });
  }
  return reports;
}

/** The CRDs as the schemas have them now, by file name. */
export function presentCrds(): Record<string, string> {
  return Object.fromEntries(kinds.map((kind) => [`${kind.plural}.yaml`, crdYaml(kind)]));
}

/** The CRDs of a baseline folder, by file name; none when the folder does not exist. */
export async function readBaseline(folder: string): Promise<Record<string, string>> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  const files = names.filter((name) => name.endsWith(".yaml")).sort();
  return Object.fromEntries(
    await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)),
  );
}

/** `node crds/src/compatibility.ts [--accept]`: 0 when compatible, 1 with a list of what is not and where. */
export async function main(argv: readonly string[], folder: string): Promise<number> {
  const present = presentCrds();
  const reports = compareSets(await readBaseline(folder), present);
  for (const { file, incompatibilities } of reports) {
    for (const { path, change } of incompatibilities) {
      console.error(`crds/baseline/${file}${path === "" ? "" : ` ${path}`}: ${change}`);
    }
  }
  if (argv.includes("--accept")) {
    await mkdir(folder, { recursive: true });
    for (const [file, text] of Object.entries(present)) await writeFile(join(folder, file), text);
    console.log(`accepted ${Object.keys(present).length} CRDs as the baseline`);
    return 0;
  }
  if (reports.length > 0) {
    console.error("incompatible with what people may have installed: undo it, or serve it in a new version");
    return 1;
  }
  console.log(`${Object.keys(present).length} CRDs are compatible with their baseline`);
  return 0;
}

if (import.meta.main) {
  process.exitCode = await main(
    process.argv.slice(2),
    fileURLToPath(new URL("../baseline/", import.meta.url)),
  );
}
