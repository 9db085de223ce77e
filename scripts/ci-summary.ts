// Adds up the runners' reports and prints the count line CI reads. A suite
// that could not run says so here and is never counted as passed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { failuresOf, readReport } from "./report.ts";

const folder = ".work/reports";
let passed = 0;
let failed = 0;
let skipped = 0;
for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
  if (name.endsWith(".skipped")) {
    console.log(readFileSync(`${folder}/${name}`, "utf8").trim());
    skipped += 1;
    continue;
  }
  const report = readReport(`${folder}/${name}`);
  // A file that fails before its first test counts as one failure.
  const broken = !report.success && report.numFailedTests === 0 ? Math.max(1, report.numFailedTestSuites) : 0;
  const missing = report.numPendingTests + report.numTodoTests;
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken;
  skipped += missing;
  for (const reason of report.secondAttempts ?? []) console.log(`needed a second attempt: ${reason}`);
  for (const reason of report.testResults.flatMap((file) => failuresOf(file, process.cwd())))
    console.log(`failed: ${reason}`);
  console.log(
    `${name.replace(".json", "")}: ${report.numPassedTests} passed, ${report.numFailedTests + broken} failed, ${missing} skipped`,
  );
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
