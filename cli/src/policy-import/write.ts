import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Imported, ImportedPolicy, Note } from "@shieldx/policy-engine";
import { stringify } from "yaml";
import { UsageError } from "../errors.ts";
import { printable } from "../printable.ts";
import { inWords } from "./places.ts";

/** Notes on what a policy was made of. */
export function notesOn({ from }: ImportedPolicy, notes: readonly Note[]): Note[] {
  return notes.filter(({ source }) => from.includes(source));
}

/** All policies, a document each. */
export function yamlOf(imported: Imported): string {
  return imported.policies.map((each) => `---\n${documentOf(each, imported.notes)}`).join("");
}

function documentOf(each: ImportedPolicy, notes: readonly Note[]): string {
  const origin = `From ${each.from.map(inWords).join(" and ")}.`;
  const told = notesOn(each, notes).map(
    ({ severity, path, message }) => `${severity}: ${path === "" ? "" : `${path}: `}${message}`,
  );
  const comments = [origin, ...told].map((line) => `# ${printable(line)}\n`).join("");
  // kubectl reads YAML 1.1, to which a bare off is false.
  return comments + stringify(each.written, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
}

/** A file for each policy, named after it; none is written where one is there already. */
export async function writeFiles(imported: Imported, folder: string): Promise<void> {
  const files = imported.policies.map((each) => ({
    path: join(folder, `${each.policy.metadata.name}.yaml`),
    text: documentOf(each, imported.notes),
  }));
  for (const { path } of files) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere)
      throw new UsageError("FileExists", `${path} is there already: remove it, or choose another folder`);
  }
  await mkdir(folder, { recursive: true });
  for (const { path, text } of files) await writeFile(path, text, { flag: "wx" });
}
