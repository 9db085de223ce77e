import { writeFile } from "node:fs/promises";
import { type ConnectionOptions, withClient } from "../connect.ts";
import { secondsOf } from "../duration.ts";
import { UsageError } from "../errors.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { shieldctlVersion } from "../version.ts";
import { Collection } from "./collection.ts";
import { collectBundle } from "./sources.ts";
import { tarGz } from "./tar.ts";

export interface BundleOptions extends ConnectionOptions {
  readonly output?: string;
  readonly since: string;
}

const logBytes = 10 * 1024 * 1024;
/** Where privileged agents run, where there are any. */
const agentsNamespace = "shieldx-agents";

/** `shieldctl debug bundle`: exit code 0 also where parts are missing; the index names them. */
export async function runDebugBundle(options: BundleOptions, terminal: Terminal): Promise<number> {
  const sinceSeconds = secondsOf("--since", options.since);
  const now = new Date();
  const file =
    options.output ?? `shieldx-debug-${now.toISOString().slice(0, 19).replace(/[-:]/g, "")}.tar.gz`;
  let clear = (): void => undefined;
  const collection = new Collection((what) => {
    clear = progress(terminal, `collecting ${what}`);
  });
  await withClient(options, async (client) => {
    const namespaces = [...new Set([options.namespace, agentsNamespace])];
    await collectBundle(client, collection, { namespaces, sinceSeconds, logBytes });
  });
  clear();
  const head = `ShieldX debug bundle of ${now.toISOString()}, by shieldctl ${shieldctlVersion}`;
  const files = new Map(
    [...collection.finish(head)].map(([path, text]) => [`shieldx-debug/${path}`, text] as const),
  );
  try {
    await writeFile(file, tarGz(files, now.getTime()), { mode: 0o600 });
  } catch (error) {
    throw new UsageError("NotWritable", `${file} cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
  terminal.out(`${file}\n`);
  const { missing } = collection;
  terminal.err(
    `${files.size} files${missing.length === 0 ? "" : `; ${missing.length} things are missing, see index.md`}\n`,
  );
  for (const { what, why } of missing.slice(0, 10)) terminal.err(`  ${what}: ${why}\n`);
  return 0;
}
