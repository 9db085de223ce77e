/**
 * Patches to the sources of a dependency, for test tooling that an unpatched upstream will not do.
 * Go neither lets an overlay replace files of the module cache, nor may that cache be edited,
 * so a patched build vendors the module into a scratch folder first.
 */
import { chmod, cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";

export interface SourcePatch {
  /** Import path of the file, e.g. `gvisor.dev/gvisor/pkg/shim/v1/service.go`. */
  readonly file: string;
  /** Text that must occur exactly once, so that an upstream change makes the build fail instead of losing the patch. */
  readonly replace: string;
  readonly with: string;
}

/** Copies the module, vendors its dependencies and applies the patches. The folder is built with `-mod=vendor`. */
export async function vendorWithPatches(
  module: string,
  scratch: string,
  patches: readonly SourcePatch[],
  runGo: (args: readonly string[], cwd: string) => Promise<void>,
): Promise<void> {
  await cp(module, scratch, { recursive: true });
  await runGo(["mod", "vendor"], scratch);
  for (const patch of patches) {
    const path = join(scratch, "vendor", patch.file);
    const source = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new ClusterError(
        "PATCH_MISMATCH",
        `${patch.file} is not among the vendored sources of ${module}`,
        { cause },
      );
    });
    await chmod(path, 0o644);
    await writeFile(path, applyPatch(source, patch));
  }
}

/** Throws `PATCH_MISMATCH` unless the text to replace is there exactly once. */
export function applyPatch(source: string, patch: SourcePatch): string {
  const parts = source.split(patch.replace);
  const [before, after] = parts;
  if (parts.length !== 2 || before === undefined || after === undefined || patch.replace === "") {
    throw new ClusterError(
      "PATCH_MISMATCH",
      `the patch of ${patch.file} matches ${parts.length - 1} times, not once: adapt it to the pinned version`,
    );
  }
  return before + patch.with + after;
}
