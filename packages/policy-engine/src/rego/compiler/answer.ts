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
import type { CompileProblem } from "./request.ts";

export interface Answer {
  readonly id: string;
  /** Not checked yet; undefined where the request does not compile. */
  readonly plan: unknown;
  readonly problems: readonly CompileProblem[];
}

/** More than OPA's compiler reports: it stops after ten. */
const maxProblems = 1_000;

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
