import { isNotFound } from "@shieldx/controller-runtime";
import { type ConnectionOptions, withClient } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { ShieldPolicyType } from "../kinds.ts";
import type { Terminal } from "../output/terminal.ts";
import { listGaps } from "./list.ts";
import { printGaps } from "./print.ts";

export interface GapsOptions extends Omit<ConnectionOptions, "namespace"> {
  readonly output: "table" | "json";
}

/** `shieldctl policy gaps`. 0, whatever is found; UsageError where there is no such policy. */
export async function runPolicyGaps(
  name: string | undefined,
  options: GapsOptions,
  terminal: Terminal,
): Promise<number> {
  const policies = await withClient({ ...options, namespace: "" }, async (client) => {
    if (name === undefined) return (await client.list(ShieldPolicyType)).items;
    try {
      return [await client.get(ShieldPolicyType, { name })];
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new UsageError("UnknownPolicy", `there is no ShieldPolicy "${name}"`, { cause: error });
    }
  });
  const gaps = listGaps(policies);
  if (options.output === "json") terminal.out(`${JSON.stringify(gaps, null, 2)}\n`);
  else printGaps(gaps, terminal);
  return 0;
}
