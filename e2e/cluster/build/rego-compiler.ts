/** OPA's compiler as WebAssembly, as the image carries it. See packages/policy-engine/rego-compiler. */
import { join } from "node:path";
import { buildGoBinary, type GoBinary } from "./go-binary.ts";

const module = join(import.meta.dirname, "..", "..", "..", "packages", "policy-engine", "rego-compiler");

export const regoCompiler: GoBinary = {
  module,
  output: "rego-compiler.wasm",
  goos: "wasip1",
  goarch: "wasm",
};

/** Path of `rego-compiler.wasm`. Throws `PREREQUISITE` where Go is missing. */
export function buildRegoCompiler(): Promise<string> {
  return buildGoBinary(regoCompiler);
}
