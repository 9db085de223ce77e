/** What the policy library says of installations that projects publish: rendered by Helm, judged by `shieldctl policy check`. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { buildHelm, publishedFile } from "../../cluster/index.ts";
import { objectsOf, renderChart } from "../../shieldx/chart.ts";
import { CATEGORIES, SEVERITIES } from "../library/library.ts";
import type { Published } from "./published.ts";

const run = promisify(execFile);
const largestOutput = 256 * 1024 * 1024;
const installedIn = "apps";

/** Objects that a policy refuses, by policy; none for one that refuses nothing. */
export interface Judged {
  readonly version: string;
  readonly objects: number;
  readonly findings: Readonly<Record<string, number>>;
}

export interface Finding {
  readonly policy: string;
  readonly object: string;
  readonly message: string;
}

/** Every policy of the library, and both Pod Security levels, refusing; without their own tests, which have been run elsewhere. */
export async function wholeLibrary(): Promise<string> {
  const values = {
    "baseline.action": "deny",
    "restricted.enabled": "true",
    "restricted.action": "deny",
    "platform.enabled": "true",
    "platform.action": "deny",
    "platform.categories": `{${CATEGORIES.join()}}`,
    "platform.severities": `{${SEVERITIES.join()}}`,
  };
  const policies = objectsOf(await renderChart(values, "shieldx-system", { chart: "shieldx-policies" }));
  return policies
    .map(({ spec: { tests: _, ...spec }, ...policy }) => `---\n${JSON.stringify({ ...policy, spec })}\n`)
    .join("");
}

/** As its readers install it: with no values but those that it cannot be rendered without. */
async function rendered(published: Published, scratch: string): Promise<string> {
  const { name, module, chart, manifest, values = {} } = published;
  if (manifest !== undefined) return await readFile(await publishedFile(module, manifest), "utf8");
  const folder = join(scratch, name);
  // Go's module cache is read-only, and its modes would come along.
  await run("cp", ["-r", "--no-preserve=mode", await publishedFile(module, chart ?? ""), folder]);
  await withoutAbsentDependencies(folder);
  const flags = Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  // Tests are no part of an installation: `helm install` does not make them.
  const where = ["--namespace", installedIn, "--kube-version", "1.37.2", "--skip-tests"];
  const { stdout } = await run(await buildHelm(), ["template", name, folder, ...where, ...flags], {
    maxBuffer: largestOutput,
  });
  return stdout;
}

/** Charts that others publish elsewhere are not in the module; Helm wants them even where they are switched off. */
async function withoutAbsentDependencies(folder: string): Promise<void> {
  const file = join(folder, "Chart.yaml");
  const chart = parse(await readFile(file, "utf8")) as { dependencies?: { name: string }[] };
  if (chart.dependencies === undefined) return;
  const here = await readdir(join(folder, "charts")).catch(() => []);
  const isHere = ({ name }: { name: string }): boolean =>
    here.some((entry) => entry === name || (entry.startsWith(`${name}-`) && entry.endsWith(".tgz")));
  await rm(join(folder, "Chart.lock"), { force: true });
  await writeFile(file, stringify({ ...chart, dependencies: chart.dependencies.filter(isHere) }));
}

/** All in one run of shieldctl: compiling the library takes longer than judging. @param shieldctl the program; @param policies a file */
export async function judgeAll(
  published: readonly Published[],
  shieldctl: string,
  policies: string,
): Promise<ReadonlyMap<string, Judged & { readonly all: readonly Finding[] }>> {
  const scratch = await mkdtemp(join(tmpdir(), "charts-"));
  try {
    const files = new Map<string, Published & { readonly objects: number }>();
    for (const each of published) {
      const file = join(scratch, `${each.name}.yaml`);
      const text = await rendered(each, scratch);
      await writeFile(file, text);
      files.set(file, { ...each, objects: objectsOf(text).length });
    }
    const { stdout } = await run(
      process.execPath,
      [
        ...[shieldctl, "policy", "check", "--policies", policies, "--namespace", installedIn],
        ...["--output", "json", "--fail-on", "none"],
        ...[...files.keys()].flatMap((file) => ["--file", file]),
      ],
      { maxBuffer: largestOutput },
    );
    const { findings } = JSON.parse(stdout) as { findings: (Finding & { file: string })[] };
    return new Map(
      [...files].map(([file, { name, module, objects }]) => {
        const all = findings.filter((finding) => finding.file === file);
        const counts = [...Map.groupBy(all, ({ policy }) => policy)].map(
          ([policy, found]) => [policy, found.length] as const,
        );
        counts.sort(([a], [b]) => (a < b ? -1 : 1));
        return [name, { version: module.version, objects, findings: Object.fromEntries(counts), all }];
      }),
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
