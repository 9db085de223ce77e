// Joins the line coverage of the test runner with that of the processes the
// tests spawned (NODE_V8_COVERAGE), prints it per package and fails under the
// floor. A line counts as covered when either side executed it.
//
// usage: coverage.ts <runner coverage-final.json>... --spawned <dir> --floor 85
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import libCoverage from "istanbul-lib-coverage";
import v8ToIstanbul from "v8-to-istanbul";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    spawned: { type: "string" },
    floor: { type: "string", default: "85" },
    verbose: { type: "boolean" },
  },
});
const root = process.cwd();
/** file -> line -> hits */
const lines = new Map<string, Map<number, number>>();

function isOurs(path: string): boolean {
  const rel = relative(root, path);
  return (
    /^(packages\/[^/]+|crds|operator|webhooks|cli)\/src\/.*\.ts$/.test(rel) &&
    !rel.endsWith(".test.ts") &&
    !rel.endsWith(".test-kit.ts") &&
    !rel.includes("/testing/") &&
    !rel.includes("/generated/")
  );
}

for (const file of positionals.filter((f) => existsSync(f))) {
  const map = libCoverage.createCoverageMap(JSON.parse(readFileSync(file, "utf8")));
  for (const path of map.files().filter(isOurs)) {
    const known = lines.get(path) ?? new Map<number, number>();
    for (const [line, hits] of Object.entries(map.fileCoverageFor(path).getLineCoverage())) {
      known.set(Number(line), Math.max(known.get(Number(line)) ?? 0, hits));
    }
    lines.set(path, known);
  }
}

interface V8Range {
  startOffset: number;
  endOffset: number;
  count: number;
}
interface V8Function {
  functionName: string;
  ranges: V8Range[];
  isBlockCoverage: boolean;
}

async function addSpawned(dump: string): Promise<void> {
  const report = JSON.parse(readFileSync(dump, "utf8")) as {
    result: { url: string; functions: V8Function[] }[];
  };
  for (const script of report.result) {
    if (!script.url.startsWith("file://") || script.url.includes("?")) continue;
    const path = fileURLToPath(script.url);
    const known = lines.get(path);
    if (known === undefined || !isOurs(path)) continue;
    // Type stripping replaces types by blanks, so offsets are those of the source.
    const converter = v8ToIstanbul(path, 0, { source: readFileSync(path, "utf8") });
    await converter.load();
    converter.applyCoverage(script.functions);
    const statements = Object.values(converter.toIstanbul())[0];
    if (statements === undefined) continue;
    const hits = libCoverage.createFileCoverage(statements).getLineCoverage();
    for (const line of known.keys()) known.set(line, Math.max(known.get(line) ?? 0, hits[line] ?? 0));
  }
}

let dumps = 0;
if (values.spawned !== undefined && existsSync(values.spawned)) {
  for (const name of readdirSync(values.spawned).filter((n) => n.endsWith(".json"))) {
    try {
      await addSpawned(resolve(values.spawned, name));
      dumps += 1;
    } catch (cause) {
      // A process killed on purpose leaves a dump cut in the middle.
      if (!(cause instanceof SyntaxError)) throw cause;
    }
  }
}

const perPackage = new Map<string, { covered: number; total: number }>();
const perFile: { file: string; covered: number; total: number }[] = [];
for (const [path, hits] of lines) {
  const file = relative(root, path);
  const name = file.split("/src/")[0] ?? file;
  const sum = perPackage.get(name) ?? { covered: 0, total: 0 };
  const covered = [...hits.values()].filter((n) => n > 0).length;
  sum.covered += covered;
  sum.total += hits.size;
  perPackage.set(name, sum);
  perFile.push({ file, covered, total: hits.size });
}
const percent = (c: number, t: number) => (t === 0 ? 100 : (100 * c) / t);
if (values.verbose === true) {
  for (const f of perFile.sort((a, b) => a.covered - a.total - (b.covered - b.total)).slice(0, 40)) {
    console.log(
      `${percent(f.covered, f.total).toFixed(1).padStart(6)} %  ${String(f.total - f.covered).padStart(4)} missed  ${f.file}`,
    );
  }
}
let covered = 0;
let total = 0;
for (const [name, sum] of [...perPackage].sort(([a], [b]) => a.localeCompare(b))) {
  covered += sum.covered;
  total += sum.total;
  console.log(
    `${percent(sum.covered, sum.total).toFixed(1).padStart(6)} %  ${name} (${sum.covered}/${sum.total} lines)`,
  );
}
const all = percent(covered, total);
console.log(
  `${all.toFixed(1).padStart(6)} %  all (${covered}/${total} lines; ${dumps} spawned processes), floor ${values.floor} %`,
);
process.exitCode = total > 0 && all >= Number(values.floor) ? 0 : 1;
