import type { GapObject } from "@shieldx/crds";
import { type Cell, painted, table } from "../output/table.ts";
import { paint, type Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import type { GapRow } from "./list.ts";

/** Gaps as a person reads them: when and why, then what was written, by whom. */
export function printGaps(gaps: readonly GapRow[], terminal: Terminal): void {
  if (gaps.length === 0) {
    terminal.out("No gaps: nothing is known of a time in which these policies were not enforced.\n");
    return;
  }
  for (const [index, gap] of gaps.entries()) {
    const { policy, cause, from, until, message, user, found = 0, objects = [] } = gap;
    if (index > 0) terminal.out("\n");
    const end = until ?? paint(terminal, "red", "now, it lasts");
    terminal.out(`${printable(policy)}: ${cause} from ${from} to ${end}\n`);
    terminal.out(`  ${printable(message)}\n`);
    if (user !== undefined) terminal.out(`  opened by ${printable(user)}\n`);
    if (objects.length === 0) {
      terminal.out(`  ${nothingKnown(gap)}\n`);
      continue;
    }
    const rows = objects.map((object) => cells(object, terminal));
    for (const line of table(heads, rows).trimEnd().split("\n")) terminal.out(`  ${line}\n`);
    if (found > objects.length)
      terminal.out(`  and ${found - objects.length} more: what breaks the policy still is in its Reports\n`);
    if (objects.some((object) => object.user === undefined)) terminal.out(`  ${unknownUser(gap)}\n`);
  }
}

const heads = ["time", "operation", "kind", "namespace", "name", "user", "still breaks it"];

function cells(object: GapObject, terminal: Terminal): Cell[] {
  const { time, operation = "-", kind, namespace = "-", name, user, manager, violates } = object;
  return [
    time,
    operation,
    kind,
    namespace,
    name,
    user ?? (manager === undefined ? "unknown" : `unknown (by ${manager})`),
    violates === undefined ? "-" : violates ? painted(terminal, "red", "yes") : "no",
  ];
}

/** Of a ShieldBreakGlass the webhook tells all; of other gaps nothing is known until the audit has looked. */
function nothingKnown({ cause, from, until, audited }: GapRow): string {
  if (cause !== "BreakGlass" && audited === false)
    return `nobody has looked at what was written, for the policy's actions.background is off: see the API server's audit log from ${from} to ${until ?? "now"}, or set it to audit to have what breaks the policy in its Reports`;
  if (cause !== "BreakGlass" && audited === undefined)
    return "what was written is not known: the background audit has not been through yet";
  return "nothing that the policy denies is known to have been written";
}

function unknownUser({ from, until = "now" }: GapRow): string {
  return `who is unknown where the webhook was not asked: the API server's audit log has the user, look for objectRef.uid (-o json shows it) from ${from} to ${until}`;
}
