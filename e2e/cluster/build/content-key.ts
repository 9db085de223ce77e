/** The name under which a build is cached: a hash of everything that decides what comes out of it. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourcePatch } from "./patch.ts";

export interface BuildInputs {
  readonly goVersion: string;
  readonly goos: string;
  readonly goarch: string;
  readonly package: string;
  readonly tags: readonly string[];
  readonly ldflags: string;
  readonly patches: readonly SourcePatch[];
  /** Path relative to the module -> content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** 32 hex digits. Fields are length-prefixed, so that no two different inputs run into the same bytes. */
export function contentKey(inputs: BuildInputs): string {
  const hash = createHash("sha256");
  const add = (part: string | Uint8Array): void => {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  };
  add("go-binary/1");
  for (const field of [inputs.goVersion, inputs.goos, inputs.goarch, inputs.package, inputs.ldflags])
    add(field);
  add([...inputs.tags].sort().join(","));
  for (const patch of inputs.patches) {
    for (const field of [patch.file, patch.replace, patch.with]) add(field);
  }
  for (const [path, content] of [...inputs.files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(path);
    add(content);
  }
  return hash.digest("hex").slice(0, 32);
}

/** What a build of the module can read: every file but documentation, tests and hidden ones. */
export async function moduleFiles(module: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(module, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name).slice(module.length + 1);
    if (path.split("/").some((part) => part.startsWith(".")) || /(\.md|_test\.go)$/.test(path)) continue;
    files.set(path, await readFile(join(module, path)));
  }
  return files;
}
