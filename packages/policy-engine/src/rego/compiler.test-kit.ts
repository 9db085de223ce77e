/** The compiler module for tests: built from `rego-compiler/`, where there is Go to build it with. */
import { buildGoBinary, type GoBinary, regoCompiler } from "@shieldx/e2e/cluster/build";

/** For this machine, which compiles a large batch some times faster. */
export const nativeCompiler: GoBinary = { module: regoCompiler.module, output: "rego-compiler" };

/** Path of the built module; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export async function builtCompiler(binary: GoBinary = regoCompiler): Promise<string | undefined> {
  try {
    return await buildGoBinary(binary);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "PREREQUISITE")) throw error;
    console.warn(`SKIPPED: tests of the Rego compiler need Go: ${error.message}`);
    return undefined;
  }
}
