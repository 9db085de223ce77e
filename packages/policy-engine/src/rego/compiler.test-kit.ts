/** The compiler module for tests: built from `rego-compiler/`, where there is Go to build it with. */
import { buildGoBinaryOrSkip, type GoBinary, regoCompiler } from "@shieldx/e2e/cluster/build";

/** For this machine, which compiles a large batch some times faster. */
export const nativeCompiler: GoBinary = { module: regoCompiler.module, output: "rego-compiler" };

/** Path of the built module; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export function builtCompiler(binary: GoBinary = regoCompiler): Promise<string | undefined> {
  return buildGoBinaryOrSkip(binary, "tests of the Rego compiler");
}
