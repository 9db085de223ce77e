/** Reads crds/samples for the tests that hold them against the parser and against a real API server. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One sample file. */
export interface Sample {
  name: string;
  path: string;
  text: string;
  /** Text the API server's refusal must contain (bad samples). */
  server?: string;
  /** Text the offline refusal must contain; the server's when the file names no other. */
  offline?: string;
}

const root = fileURLToPath(new URL("../../samples/", import.meta.url));

/** The samples of one folder, by name. */
export async function readSamples(folder: "good" | "bad"): Promise<Sample[]> {
  const names = (await readdir(join(root, folder))).filter((name) => name.endsWith(".yaml")).sort();
  return Promise.all(
    names.map(async (file) => {
      const path = join(root, folder, file);
      const text = await readFile(path, "utf8");
      const server = /^# The API server says: (.+)$/m.exec(text)?.[1];
      const offline = /^# Offline: (.+)$/m.exec(text)?.[1] ?? server;
      return {
        name: file.replace(/\.yaml$/, ""),
        path,
        text,
        ...(server === undefined ? {} : { server }),
        ...(offline === undefined ? {} : { offline }),
      };
    }),
  );
}
