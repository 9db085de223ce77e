/** The binaries of a control plane: one multi-call binary per Kubernetes release, and helm. */
import { join } from "node:path";
import type { KubernetesMinor } from "../types.ts";
import { buildGoBinary, findGoBinary, type GoBinary } from "./go-binary.ts";

/** The exact release behind each minor version; equals the `k8s.io/kubernetes` line of its module (a test compares them). */
export const kubernetesReleases = { "1.37": "v1.37.2", "1.34": "v1.34.4" } as const satisfies Record<
  KubernetesMinor,
  string
>;
export const defaultKubernetes: KubernetesMinor = "1.37";

const modules = join(import.meta.dirname, "..", "modules");

/** Without the version baked in, the components take themselves for v0.0.0 and refuse feature gates and clients. */
export function versionFlags(release: string): string {
  const [major = "", minor = ""] = release.replace(/^v/, "").split(".");
  const variables = { gitVersion: release, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const settings = Object.entries(variables).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  return ["-s", "-w", ...settings].join(" ");
}

/** Path of the multi-call binary: linked or called as `kube-apiserver`, `etcd`, `kubectl`… it is that program. */
export function buildKubernetes(minor: KubernetesMinor): Promise<string> {
  return buildGoBinary({
    module: join(modules, `kubernetes-${minor}`),
    output: "kubernetes",
    ldflags: versionFlags(kubernetesReleases[minor]),
  });
}

const helm: GoBinary = {
  module: join(modules, "helm"),
  output: "helm",
  package: "helm.sh/helm/v3/cmd/helm",
  ldflags: "-s -w -X helm.sh/helm/v3/internal/version.version=v3.19.5",
};

/** Path of the `helm` binary. */
export function buildHelm(): Promise<string> {
  return buildGoBinary(helm);
}

/** The same where it has been built before, else undefined. */
export function findHelm(): Promise<string | undefined> {
  return findGoBinary(helm);
}
