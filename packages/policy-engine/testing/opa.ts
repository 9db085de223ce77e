/** OPA's own command for tests: what it builds and signs is what must be read here. */
import { join } from "node:path";
import { buildGoBinary } from "@shieldx/e2e/cluster/build";

/** Path of `opa`; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export async function builtOpa(): Promise<string | undefined> {
  try {
    return await buildGoBinary({
      module: join(import.meta.dirname, "opa"),
      output: "opa",
      package: "github.com/open-policy-agent/opa",
    });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "PREREQUISITE")) throw error;
    console.warn(`SKIPPED: bundles built by OPA need Go: ${error.message}`);
    return undefined;
  }
}
