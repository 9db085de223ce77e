/** The compiler's answers, one line of JSON each. */
import {
  below,
  field,
  type Place,
  PlanError,
  readInteger,
  readList,
  readObject,
  readText,
} from "../plan/index.ts";
import type { CompileProblem, PlannedTest, PlannedTests } from "./request.ts";

export interface Answer {
  readonly id: string;
  /** Not checked yet; undefined where the request does not compile. */
  readonly plan: unknown;
  readonly problems: readonly CompileProblem[];
  /** Undefined where none were asked for, or there are none. */
  readonly planned: PlannedTests | undefined;
}

/** More than OPA's compiler reports: it stops after ten. */
const maxProblems = 1_000;
const maxTests = 100_000;
const maxRows = 1_000_000;

/** Undefined for what no compiler of ours writes. */
export function readAnswer(line: string): Answer | undefined {
  try {
    const place = below(undefined, "answer");
    const answer = readObject(JSON.parse(line), place);
    return {
      id: readText(field(answer, "id"), below(place, "id")),
      plan: field(answer, "plan") ?? undefined,
      problems: readList(field(answer, "errors"), below(place, "errors"), maxProblems).map((item, at) =>
        readProblem(item, below(place, at)),
      ),
      planned: readPlanned(answer, place),
    };
  } catch (error) {
    if (error instanceof PlanError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readProblem(value: unknown, place: Place): CompileProblem {
  const problem = readObject(value, place);
  const number = (key: string): number | undefined => {
    const found = field(problem, key);
    return found === undefined
      ? undefined
      : readInteger(found, below(place, key), 0, Number.MAX_SAFE_INTEGER);
  };
  const file = field(problem, "file");
  return {
    code: readText(field(problem, "code"), below(place, "code")),
    message: readText(field(problem, "message"), below(place, "message")),
    file: file === undefined ? undefined : readText(file, below(place, "file")),
    row: number("row"),
    col: number("col"),
  };
}

function readPlanned(answer: ReturnType<typeof readObject>, place: Place): PlannedTests | undefined {
  const rows = field(answer, "rows");
  const tests = field(answer, "tests");
  if (rows === undefined && tests === undefined) return undefined;
  const rowsPlace = below(place, "rows");
  const byFile = Object.entries(readObject(rows ?? {}, rowsPlace)).map(([file, list]) => {
    const where = below(rowsPlace, file);
    return [
      file,
      readList(list, where, maxRows).map((row) => readInteger(row, where, 1, Number.MAX_SAFE_INTEGER)),
    ] as const;
  });
  const testsPlace = below(place, "tests");
  return {
    tests: readList(tests, testsPlace, maxTests).map((item, at) => readTest(item, below(testsPlace, at))),
    rows: new Map(byFile),
  };
}

function readTest(value: unknown, place: Place): PlannedTest {
  const test = readObject(value, place);
  const text = (key: string): string => readText(field(test, key), below(place, key));
  const plan = field(test, "plan");
  return {
    package: text("package"),
    name: text("name"),
    plan: plan === undefined ? undefined : readText(plan, below(place, "plan")),
    hasCases: field(test, "cases") === true,
    file: text("file"),
    row: readInteger(field(test, "row"), below(place, "row"), 0, Number.MAX_SAFE_INTEGER),
  };
}
