/** Which rows of a policy's modules ran while its tests did. */
import type { Observe } from "../evaluate/index.ts";
import type { Block, SourceLocation, StatementKind } from "../plan/statements.ts";
import type { CompiledRegoTests } from "./compile.ts";

/** Rows from and to, both counted in, from 1. */
export type Rows = readonly [from: number, to: number];

export interface FileCoverage {
  readonly file: string;
  readonly covered: number;
  /** Rows on which something can be evaluated. */
  readonly all: number;
  readonly missed: readonly Rows[];
}

export interface RegoCoverage {
  readonly files: readonly FileCoverage[];
  readonly covered: number;
  readonly all: number;
}

/** OPA's name for files that hold tests and what these need. */
const testFile = /_test\.rego$/;

/** What tells that a rule came to something. All else that stands where its head does only begins or ends it. */
const resultKinds: ReadonlySet<StatementKind> = new Set([
  "AssignVarOnceStmt",
  "SetAddStmt",
  "ObjectInsertStmt",
  "ObjectInsertOnceStmt",
]);
/** What the planner writes for heads of rules, and for nothing else. */
const headKinds: ReadonlySet<StatementKind> = new Set([
  "ResetLocalStmt",
  "ReturnLocalStmt",
  "IsUndefinedStmt",
]);

export class Coverage {
  readonly #rows: ReadonlyMap<string, ReadonlySet<number>>;
  readonly #heads: ReadonlySet<string>;
  readonly #seen = new Map<string, Set<number>>();

  constructor({ planned: { rows }, plan }: Pick<CompiledRegoTests, "planned" | "plan">) {
    this.#rows = new Map(
      [...rows].filter(([file]) => !testFile.test(file)).map(([file, list]) => [file, new Set(list)]),
    );
    const heads = plan.functions.flatMap(({ blocks }) => headsIn(blocks));
    this.#heads = new Set(heads.map(placeOf));
  }

  readonly observe: Observe = ({ kind, location }) => {
    const { file, row } = location;
    if (this.#rows.get(file)?.has(row) !== true) return undefined;
    if (this.#heads.has(placeOf(location)) && !resultKinds.has(kind)) return undefined;
    const seen = this.#seen.get(file) ?? new Set();
    this.#seen.set(file, seen);
    return () => void seen.add(row);
  };

  /** By name of the file. */
  report(): RegoCoverage {
    const files = [...this.#rows]
      .map(([file, rows]): FileCoverage => {
        const seen = this.#seen.get(file) ?? new Set();
        const missed = [...rows].filter((row) => !seen.has(row)).sort((a, b) => a - b);
        return { file, covered: rows.size - missed.length, all: rows.size, missed: ranges(missed) };
      })
      .sort((a, b) => (a.file < b.file ? -1 : 1));
    const sum = (of: (each: FileCoverage) => number) => files.reduce((total, each) => total + of(each), 0);
    return { files, covered: sum(({ covered }) => covered), all: sum(({ all }) => all) };
  }
}

function placeOf({ file, row, col }: SourceLocation): string {
  return `${row}:${col} ${file}`;
}

/** As deep as blocks are nested, which has a limit when a plan is loaded. */
function headsIn(blocks: readonly Block[]): SourceLocation[] {
  return blocks.flatMap(({ statements }) =>
    statements.flatMap((statement) => {
      if (statement.kind === "BlockStmt") return headsIn(statement.blocks);
      return headKinds.has(statement.kind) ? [statement.location] : [];
    }),
  );
}

/** In percent; of nothing all is covered. */
export function percentCovered({ covered, all }: Pick<RegoCoverage, "covered" | "all">): number {
  return all === 0 ? 100 : (100 * covered) / all;
}

function ranges(rows: readonly number[]): Rows[] {
  const result: [number, number][] = [];
  for (const row of rows) {
    const last = result.at(-1);
    if (last !== undefined && last[1] === row - 1) last[1] = row;
    else result.push([row, row]);
  }
  return result;
}
