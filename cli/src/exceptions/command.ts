import { type ConnectionOptions, withClient } from "../connect.ts";
import { secondsOf } from "../duration.ts";
import { ShieldExceptionType } from "../kinds.ts";
import { type Cell, painted, table } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";
import { type ExceptionRow, formatLeft, listExceptions } from "./list.ts";

export interface ExceptionsOptions extends Omit<ConnectionOptions, "namespace"> {
  readonly namespace?: string;
  readonly expiring?: string;
  readonly unused?: boolean;
  readonly output: "table" | "json";
}

/** `shieldctl exceptions`. 0, whatever is found. */
export async function runExceptions(options: ExceptionsOptions, terminal: Terminal): Promise<number> {
  const { namespace, expiring, unused } = options;
  const expiringMs = expiring === undefined ? undefined : secondsOf("--expiring", expiring) * 1000;
  const found = await withClient({ ...options, namespace: namespace ?? "" }, (client) =>
    client.list(ShieldExceptionType, namespace === undefined ? {} : { namespace }),
  );
  const rows = listExceptions(found.items, { expiringMs, unused }, Date.now());
  if (options.output === "json") terminal.out(`${JSON.stringify(rows, null, 2)}\n`);
  else if (rows.length === 0) terminal.out("No such ShieldExceptions.\n");
  else
    terminal.out(
      table(
        heads,
        rows.map((row) => cells(row, terminal)),
      ),
    );
  return 0;
}

const heads = [
  "namespace",
  "name",
  "policies",
  "owner",
  "expires in",
  "used",
  "honoured",
  "needed",
  "approved by",
];

function cells(row: ExceptionRow, terminal: Terminal): Cell[] {
  const left = formatLeft(row.expiresInSeconds);
  const needed = row.objects > 0 ? `by ${row.objects}` : "not now";
  return [
    row.namespace,
    row.name,
    row.policies.join(","),
    row.owner,
    left === "expired" ? painted(terminal, "red", left) : left,
    String(row.used),
    row.honoured === undefined ? "-" : row.honoured ? "yes" : painted(terminal, "red", "no"),
    row.unused === true ? painted(terminal, "yellow", "unused") : row.unused === undefined ? "-" : needed,
    row.approvedBy ?? "-",
  ];
}
