/** Installations that projects publish inside Go modules, downloaded when they are judged and pinned by hash. */
import type { PublishedModule } from "../../cluster/build/published.ts";

export interface Published {
  readonly name: string;
  readonly module: PublishedModule;
  /** Folder of a chart in it. */
  readonly chart?: string;
  /** Or a file with manifests. */
  readonly manifest?: string;
  /** Without these the chart does not render, or renders nothing. */
  readonly values?: Readonly<Record<string, string>>;
}

/** Of modules that other tests need as well, so that they cost no further download. */
export const few: readonly Published[] = [
  {
    name: "kyverno",
    module: {
      path: "github.com/kyverno/kyverno",
      version: "v1.19.1",
      sum: "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
    },
    chart: "charts/kyverno",
  },
  {
    name: "gatekeeper",
    module: {
      path: "github.com/open-policy-agent/gatekeeper/v3",
      version: "v3.18.2",
      sum: "h1:P3h1f8hin0M/a9r70LajMjOPxF3C1dUFqqWJZ4B3A5E=",
    },
    chart: "charts/gatekeeper",
  },
  {
    name: "metallb",
    module: {
      path: "go.universe.tf/metallb",
      version: "v0.16.2",
      sum: "h1:RCSAGoZmqcvTg0e56+Okbwz8iTuQVX30JpKX5mYEPUM=",
    },
    chart: "charts/metallb",
  },
  {
    name: "argo-cd",
    module: {
      path: "github.com/argoproj/argo-cd/v3",
      version: "v3.1.1",
      sum: "h1:5qzZUtfpHTwrySprpQwpvjPUHKUz7gBs/wK7PSiVQ8I=",
    },
    manifest: "manifests/install.yaml",
  },
  {
    name: "cloudnative-pg",
    module: {
      path: "github.com/cloudnative-pg/cloudnative-pg",
      version: "v1.27.0",
      sum: "h1:mp0zlYO4vKAJmQdArWORWKr1lmB4Hj8JeBQGX5RBnpg=",
    },
    manifest: "releases/cnpg-1.27.0.yaml",
  },
];

const istio = {
  path: "istio.io/istio",
  version: "v0.0.0-20260827124520-eed52ebb66ad",
  sum: "h1:ui9TJjRMAV/hb5ehQaZDq7IUGxuQP6dra9lapT/VjHI=",
};

/** Each a module of its own. */
export const others: readonly Published[] = [
  {
    name: "metrics-server",
    module: {
      path: "sigs.k8s.io/metrics-server",
      version: "v0.9.0",
      sum: "h1:nlqqZ2H0Xfko8eJC/1qaNVVT17hu4rxndkOi22KTZ4w=",
    },
    chart: "charts/metrics-server",
  },
  {
    name: "descheduler",
    module: {
      path: "sigs.k8s.io/descheduler",
      version: "v0.36.0",
      sum: "h1:fBemfJD1RhmbsdH94lKwGMOwQcbsrw67A5IK2c2fANA=",
    },
    chart: "charts/descheduler",
  },
  {
    name: "ingress-nginx",
    module: {
      path: "k8s.io/ingress-nginx",
      version: "v0.0.0-20240708192948-52c50467d67d",
      sum: "h1:tZui5g6S4GO1hxLm6yrEoIXLkl4QfeGytlmZqZ+DmdQ=",
    },
    chart: "charts/ingress-nginx",
  },
  {
    name: "external-dns",
    module: {
      path: "sigs.k8s.io/external-dns",
      version: "v0.19.0",
      sum: "h1:fyH3AN/WmOrbuAVYgtHPK4UhkNy9DR3gXMU65yQxuzQ=",
    },
    chart: "charts/external-dns",
  },
  {
    name: "external-secrets",
    module: {
      path: "github.com/external-secrets/external-secrets",
      version: "v1.3.2",
      sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
    },
    chart: "deploy/charts/external-secrets",
  },
  {
    name: "sealed-secrets",
    module: {
      path: "github.com/bitnami-labs/sealed-secrets",
      version: "v0.40.0",
      sum: "h1:rvCP35JL8ZV5LNA2SrwNR6iLyoM3ulrSFWN0lBtYEYI=",
    },
    chart: "helm/sealed-secrets",
  },
  {
    name: "kueue",
    module: {
      path: "sigs.k8s.io/kueue",
      version: "v0.17.0",
      sum: "h1:7hzb38M4eKGzYW+CFv2s1L+swzzacUCHOCXxZmAV90I=",
    },
    chart: "charts/kueue",
  },
  {
    name: "cilium",
    module: {
      path: "github.com/cilium/cilium",
      version: "v1.20.2",
      sum: "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
    },
    chart: "install/kubernetes/cilium",
  },
  {
    name: "prometheus-operator",
    module: {
      path: "github.com/prometheus-operator/prometheus-operator",
      version: "v0.85.0",
      sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    },
    manifest: "bundle.yaml",
  },
  {
    name: "contour",
    module: {
      path: "github.com/projectcontour/contour",
      version: "v1.33.8",
      sum: "h1:QoOfwqWws+CVRFpsRC2+f1DmB5IdurtyUtepIsiWfE0=",
    },
    manifest: "examples/render/contour.yaml",
  },
  ...["istio-control/istio-discovery", "istio-cni", "ztunnel", "gateway"].map((folder) => ({
    name: folder.includes("istio") ? (folder.split("/").at(-1) ?? folder) : `istio-${folder}`,
    module: istio,
    chart: `manifests/charts/${folder}`,
  })),
];
