import packageJson from "../package.json" with { type: "json" };
import { type ConnectionOptions, withClient } from "./connect.ts";
import type { Terminal } from "./output/terminal.ts";
import { observe } from "./status/read.ts";

export const shieldctlVersion: string = packageJson.version;

/** `shieldctl version`. A cluster that cannot be reached is said on stderr and changes the exit code to 1. */
export async function runVersion(
  options: ConnectionOptions & { client?: boolean; output: "table" | "json" },
  terminal: Terminal,
): Promise<number> {
  const versions: Record<string, string> = { shieldctl: shieldctlVersion, node: process.versions.node };
  let code = 0;
  if (options.client !== true) {
    try {
      const seen = await withClient(options, (client) => observe(client, options.namespace, Date.now()));
      versions.kubernetes = seen.kubernetes;
      for (const d of seen.deployments) versions[d.name] = d.image;
    } catch (error) {
      terminal.err(`cluster: ${(error as Error).message}\n`);
      code = 1;
    }
  }
  if (options.output === "json") terminal.out(`${JSON.stringify(versions)}\n`);
  else for (const [name, version] of Object.entries(versions)) terminal.out(`${name}: ${version}\n`);
  return code;
}
