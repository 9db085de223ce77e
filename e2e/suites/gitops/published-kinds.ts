import { type Cluster, publishedFile } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";

const published = [
  {
    path: "github.com/argoproj/argo-cd/v3",
    version: "v3.1.1",
    sum: "h1:5qzZUtfpHTwrySprpQwpvjPUHKUz7gBs/wK7PSiVQ8I=",
    files: ["manifests/crds/application-crd.yaml", "manifests/crds/appproject-crd.yaml"],
  },
  {
    path: "github.com/fluxcd/source-controller",
    version: "v1.7.3",
    sum: "h1:gFfeBiNUgF0kFFGap/rrMeJqz+0Tod0ARENJO8w/UA8=",
    files: ["ocirepositories", "gitrepositories", "helmrepositories"].map(
      (plural) => `config/crd/bases/source.toolkit.fluxcd.io_${plural}.yaml`,
    ),
  },
  {
    path: "github.com/fluxcd/helm-controller",
    version: "v1.4.0",
    sum: "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
    files: ["config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml"],
  },
  {
    path: "github.com/fluxcd/kustomize-controller",
    version: "v1.7.3",
    sum: "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
    files: ["config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"],
  },
] as const;

/** The kinds of Argo CD and Flux, as their projects publish them. */
export async function installPublishedKinds(cluster: Cluster): Promise<void> {
  for (const { files, ...module } of published) {
    for (const file of files) await mustKubectl(cluster, ["create", "-f", await publishedFile(module, file)]);
  }
  await mustKubectl(cluster, ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
}
