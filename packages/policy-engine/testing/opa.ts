/** OPA's own command for tests: what it builds, signs and answers is the measure here. */
import { join } from "node:path";
import { buildGoBinaryOrSkip } from "@shieldx/e2e/cluster/build";

/** Path of `opa`; undefined, and said so, where Go is missing. What else goes wrong is thrown. */
export function builtOpa(): Promise<string | undefined> {
  const module = join(import.meta.dirname, "opa");
  const binary = { module, output: "opa", package: "github.com/open-policy-agent/opa" };
  return buildGoBinaryOrSkip(binary, "tests against OPA");
}
