// What vitest's JSON reporter writes, as far as CI reads it.
import { readFileSync } from "node:fs";

export interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numFailedTestSuites: number;
  success: boolean;
  testResults: FileResult[];
  /** What failed at the first attempt and passed at the second. Ours: see second-attempt.ts. */
  secondAttempts?: string[];
}

export interface FileResult {
  /** Absolute path of the test file. */
  name: string;
  status: "passed" | "failed";
  /** Why the file failed outside its tests. */
  message: string;
  assertionResults: {
    fullName: string;
    status: "passed" | "failed" | "pending" | "skipped" | "todo";
    failureMessages?: string[] | null;
  }[];
}

export const readReport = (path: string): Report => JSON.parse(readFileSync(path, "utf8"));

/** One line for each failed test, or for the file when it failed outside its tests. */
export function failuresOf({ name, status, message, assertionResults }: FileResult, root: string): string[] {
  const file = name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name;
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0) return status === "failed" ? [`${file}: ${firstLine(message)}`] : [];
  return failed.map((test) => `${file}: ${test.fullName}: ${firstLine(test.failureMessages?.[0] ?? "")}`);
}

const firstLine = (text: string): string => (text.trim().split("\n")[0] ?? "").slice(0, 500);
