import type { Cluster } from "../cluster/index.ts";

/** What kubectl printed. Throws, with the command and the reason, where it failed. */
export async function mustKubectl(
  cluster: Cluster,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}
