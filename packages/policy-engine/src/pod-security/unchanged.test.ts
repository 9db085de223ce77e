import { describe, expect, it } from "vitest";
import { podJudgementUnchanged } from "./unchanged.ts";

const pod = (change: (pod: Fields) => void = () => {}): Fields => {
  const made: Fields = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", annotations: { note: "x" }, finalizers: ["a/b"] },
    spec: {
      hostNetwork: true,
      tolerations: [],
      containers: [{ name: "a", image: "i:1", resources: {}, securityContext: { privileged: true } }],
    },
  };
  change(made);
  return made;
};
interface Fields {
  apiVersion: string;
  kind: string;
  metadata: { annotations: Record<string, string>; [field: string]: unknown };
  spec: { tolerations: unknown[]; containers: Record<string, unknown>[]; [field: string]: unknown };
}

describe("podJudgementUnchanged", () => {
  it.each<[string, (pod: Fields) => void]>([
    ["a label", (p) => (p.metadata.labels = { app: "x" })],
    ["a finalizer", (p) => (p.metadata.finalizers = [])],
    ["an annotation no check reads", (p) => (p.metadata.annotations.note = "y")],
    ["tolerations", (p) => p.spec.tolerations.push({ operator: "Exists" })],
    ["activeDeadlineSeconds", (p) => (p.spec.activeDeadlineSeconds = 5)],
    ["resources of a container", (p) => (p.spec.containers[0]!.resources = { limits: { cpu: "1" } })],
    ["the node it runs on", (p) => (p.spec.nodeName = "n")],
    ["an empty list where there was none", (p) => (p.spec.initContainers = [])],
    ["null where there was nothing", (p) => (p.spec.volumes = null)],
  ])("lets pass a change of %s", (_, change) => {
    expect(podJudgementUnchanged(pod(), pod(change))).toBe(true);
  });

  it.each<[string, (pod: Fields) => void]>([
    ["an image", (p) => (p.spec.containers[0]!.image = "i:2")],
    ["a container's securityContext", (p) => (p.spec.containers[0]!.securityContext = { privileged: false })],
    ["the Pod's securityContext", (p) => (p.spec.securityContext = { runAsUser: 0 })],
    ["an ephemeral container", (p) => (p.spec.ephemeralContainers = [{ name: "debug" }])],
    ["an init container", (p) => (p.spec.initContainers = [{ name: "i" }])],
    ["a removed container", (p) => p.spec.containers.pop()],
    ["volumes", (p) => (p.spec.volumes = [{ name: "v", hostPath: { path: "/" } }])],
    ["hostUsers", (p) => (p.spec.hostUsers = false)],
    [
      "an AppArmor annotation",
      (p) => (p.metadata.annotations["container.apparmor.security.beta.kubernetes.io/a"] = "unconfined"),
    ],
    [
      "a seccomp annotation",
      (p) => (p.metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"] = "unconfined"),
    ],
    ["a probe", (p) => (p.spec.containers[0]!.livenessProbe = { httpGet: { host: "h" } })],
    ["a container that is no object", (p) => (p.spec.containers[0] = "a" as never)],
    ["a spec that is no object", (p) => (p.spec = 1 as never)],
  ])("judges anew on a change of %s", (_, change) => {
    expect(podJudgementUnchanged(pod(), pod(change))).toBe(false);
  });

  it("compares the template of a workload, not its replicas", () => {
    const deployment = (replicas: number, image: string) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      spec: { replicas, template: { spec: { containers: [{ name: "a", image }] } } },
    });
    expect(podJudgementUnchanged(deployment(1, "i"), deployment(9, "i"))).toBe(true);
    expect(podJudgementUnchanged(deployment(1, "i"), deployment(1, "j"))).toBe(false);
  });

  it("takes what nests deeper than any Pod for changed, without following it", () => {
    const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`) as unknown;
    const nested = () => pod((p) => (p.spec.securityContext = deep(100_000)));
    expect(podJudgementUnchanged(nested(), nested())).toBe(false);
  });

  it("holds for other kinds and for a controller that has no template", () => {
    const controller = { apiVersion: "v1", kind: "ReplicationController", spec: { replicas: 1 } };
    expect(podJudgementUnchanged(controller, { ...controller, metadata: {} })).toBe(true);
    expect(podJudgementUnchanged(controller, pod())).toBe(false);
    expect(podJudgementUnchanged(undefined, pod())).toBe(false);
  });
});
