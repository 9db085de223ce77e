import { type ConnectionOptions, withClient } from "../connect.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { judge } from "./collect.ts";
import { printStatus } from "./print.ts";
import { observe } from "./read.ts";

/** `shieldctl status`. 0 when healthy, 1 when something needs attention. */
export async function runStatus(
  options: ConnectionOptions & { output: "table" | "json" },
  terminal: Terminal,
): Promise<number> {
  const clear = progress(terminal, "reading the cluster …");
  const seen = await withClient(options, (client) => observe(client, options.namespace, Date.now())).finally(
    clear,
  );
  const report = judge(seen);
  if (options.output === "json") terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else printStatus(report, terminal);
  return report.healthy ? 0 : 1;
}
