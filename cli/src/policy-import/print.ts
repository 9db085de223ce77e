import type { Imported, ImportedPolicy, Note, ObjectName } from "@shieldx/policy-engine";
import { type SarifFinding, sarif } from "../output/sarif.ts";
import { painted, table } from "../output/table.ts";
import type { Style, Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import { shieldctlVersion } from "../version.ts";
import { inWords, type Places } from "./places.ts";
import { notesOn } from "./write.ts";

const styles: Record<Note["severity"], Style> = { error: "red", lost: "yellow", note: "dim" };
const levels = { error: "error", lost: "warning", note: "note" } as const;

type Outcome = "exactly" | "with notes" | "in part";

function outcomeOf(each: ImportedPolicy, notes: readonly Note[]): Outcome {
  const severities = notesOn(each, notes).map(({ severity }) => severity);
  if (severities.includes("lost")) return "in part";
  return severities.length > 0 ? "with notes" : "exactly";
}

/** Policies go to standard output or into files; what is to be said of them goes to stderr. */
export function printReport(
  imported: Imported,
  places: Places,
  format: "table" | "json" | "sarif",
  terminal: Terminal,
): void {
  switch (format) {
    case "table":
      printTable(imported, places, terminal);
      break;
    case "json":
      printJson(imported, places, terminal);
      break;
    case "sarif":
      terminal.err(
        sarif(
          shieldctlVersion,
          imported.notes.map((note) => asSarif(note, places)),
        ),
      );
      break;
    default:
      format satisfies never;
  }
}

function whereOf(source: ObjectName, places: Places): string {
  const place = places(source);
  return place === undefined ? "" : `${place.file}:${place.line}`;
}

function printTable({ policies, notes, left }: Imported, places: Places, terminal: Terminal): void {
  const made = policies.map((each) => [
    each.policy.metadata.name,
    each.policy.spec.engine,
    each.policy.spec.actions.admission,
    outcomeOf(each, notes),
    each.from.map(inWords).join(", "),
  ]);
  if (made.length > 0) terminal.err(table(["policy", "engine", "action", "carried over", "from"], made));
  const told = notes.map(({ source, path, severity, message }) => [
    whereOf(source, places),
    inWords(source),
    painted(terminal, styles[severity], severity),
    path === "" ? message : `${path}: ${message}`,
  ]);
  if (told.length > 0)
    terminal.err(`${made.length > 0 ? "\n" : ""}${table(["where", "object", "", "what"], told)}`);
  terminal.err(summary({ policies, notes, left }));
}

function summary({ policies, notes, left }: Imported): string {
  const count = (outcome: Outcome) => policies.filter((each) => outcomeOf(each, notes) === outcome).length;
  const refused = new Set(notes.filter(({ severity }) => severity === "error").map(({ source }) => source))
    .size;
  const kinds = [...new Set(left.map(({ kind }) => kind))].sort();
  const shown = kinds.length > 8 ? [...kinds.slice(0, 8), "…"] : kinds;
  const parts = [
    policies.length === 1 ? "1 policy" : `${policies.length} policies`,
    `${count("exactly")} carried over exactly`,
    `${count("with notes")} with notes`,
    `${count("in part")} in part`,
    refused === 1 ? "1 object not" : `${refused} objects not`,
  ];
  const others = left.length === 0 ? "" : `; ${left.length} of other kinds left alone: ${shown.join(", ")}`;
  return `${printable(`${parts.join(", ")}${others}`)}\n`;
}

function printJson({ policies, notes, left }: Imported, places: Places, terminal: Terminal): void {
  const report = {
    policies: policies.map((each) => ({
      policy: each.policy.metadata.name,
      engine: each.policy.spec.engine,
      carriedOver: outcomeOf(each, notes),
      from: each.from,
      parameters: each.params.length,
    })),
    notes: notes.map((note) => ({ ...note, ...places(note.source) })),
    left,
  };
  terminal.err(`${JSON.stringify(report, null, 2)}\n`);
}

function asSarif({ source, path, severity, message }: Note, places: Places): SarifFinding {
  const { file, line } = places(source) ?? { file: "", line: 1 };
  return {
    ruleId: `import/${severity}`,
    level: levels[severity],
    message: `${inWords(source)}: ${path === "" ? "" : `${path}: `}${message}`,
    file,
    line,
  };
}
