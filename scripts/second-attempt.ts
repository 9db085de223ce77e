// Runs the test files that failed once more, alone: on a machine that stands still for seconds a test against a real
// cluster may run into a deadline it does not own. The second attempt never hides the first: CI names every test that
// needed one, with its first failure. More than three failed files are no accident and get none.
//
//   second-attempt.ts REPORT PROJECT...
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { failuresOf, type Report, readReport } from "./report.ts";

const mostFiles = 3;
const [path = "", ...projects] = process.argv.slice(2);
const first = readReport(path);
const failed = first.testResults.filter(({ status }) => status === "failed");
const reasons = failed.flatMap((file) => failuresOf(file, process.cwd()));
for (const reason of reasons) console.error(`failed: ${reason}`);
if (failed.length === 0 || failed.length > mostFiles) process.exit(1);

console.error(`second attempt, of ${failed.length} files alone`);
const again = path.replace(/\.json$/, "-second-attempt.json").replace("/reports/", "/");
const run = spawnSync(
  process.execPath,
  [
    "node_modules/vitest/vitest.mjs",
    "run",
    ...projects.flatMap((project) => ["--project", project]),
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${again}`,
    ...failed.map(({ name }) => name),
  ],
  { stdio: "inherit" },
);
if (run.status !== 0) process.exit(1);

const second = readReport(again);
const ran = new Set(second.testResults.map(({ name }) => name));
const merged: Report = {
  ...first,
  ...counts([...first.testResults.filter(({ name }) => !ran.has(name)), ...second.testResults]),
  secondAttempts: reasons,
};
writeFileSync(path, JSON.stringify(merged));
process.exitCode = merged.success ? 0 : 1;

function counts(testResults: Report["testResults"]): Omit<Report, "secondAttempts"> {
  const tests = testResults.flatMap((file) => file.assertionResults);
  const having = (...statuses: string[]): number =>
    tests.filter(({ status }) => statuses.includes(status)).length;
  const numFailedTestSuites = testResults.filter(({ status }) => status === "failed").length;
  return {
    numPassedTests: having("passed"),
    numFailedTests: having("failed"),
    numPendingTests: having("pending", "skipped"),
    numTodoTests: having("todo"),
    numFailedTestSuites,
    success: numFailedTestSuites === 0,
    testResults,
  };
}
