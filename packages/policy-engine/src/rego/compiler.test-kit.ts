/** The compiler module for tests: built from `rego-compiler/`, where there is Go to build it with. */
import { join } from "node:path";
import { buildGoBinary, type GoBinary } from "@shieldx/e2e/cluster/build";

const source = { module: join(import.meta.dirname, "..", "..", "rego-compiler") };

/** As it is used: WebAssembly with the system interface. */
export const wasmCompiler: GoBinary = {
  ...source,
  output: "rego-compiler.wasm",
  goos: "wasip1",
  goarch: "wasm",
};

/** For this machine, which compiles a large batch some times faster. */
export const nativeCompiler: GoBinary = { ...source, output: "rego-compiler" };

/** Path of the built module; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export async function builtCompiler(binary: GoBinary): Promise<string | undefined> {
  try {
    return await buildGoBinary(binary);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "PREREQUISITE")) throw error;
    console.warn(`SKIPPED: tests of the Rego compiler need Go: ${error.message}`);
    return undefined;
  }
}
