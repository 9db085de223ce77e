/** Argo CD's own judgement as one program: health scripts, diff, sync with pruning, deletion. See modules/argocd. */
import { join } from "node:path";
import { buildGoBinary } from "./go-binary.ts";

/** Path of the `argocd` binary. */
export function buildArgocd(): Promise<string> {
  return buildGoBinary({
    module: join(import.meta.dirname, "..", "modules", "argocd"),
    output: "argocd",
  });
}
