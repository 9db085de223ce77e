import { describe, expect, it } from "vitest";
import { extractPodSpec, podCarriers } from "./workload.ts";

describe("extractPodSpec", () => {
  it.each(podCarriers.map((carrier) => [carrier.kind, carrier] as const))(
    "finds the Pod in a %s",
    (_, carrier) => {
      const pod = { metadata: { annotations: { a: "b" } }, spec: { containers: [] } };
      const object = {
        apiVersion: carrier.group === "" ? "v1" : `${carrier.group}/v1`,
        kind: carrier.kind,
        ...(carrier.path.reduceRight<object>((inner, key) => ({ [key]: inner }), pod) as typeof pod),
      };
      expect(extractPodSpec(object)).toEqual({ ...pod, path: carrier.path.join(".") });
    },
  );

  it("goes by group and kind together", () => {
    const spec = { template: { spec: {} } };
    expect(extractPodSpec({ apiVersion: "apps/v1beta1", kind: "Deployment", spec })).toBeDefined();
    expect(extractPodSpec({ apiVersion: "example.com/v1", kind: "Deployment", spec })).toBeUndefined();
    expect(extractPodSpec({ apiVersion: "v1", kind: "ConfigMap" })).toBeUndefined();
  });

  it("finds nothing where there is no template, and keeps a misshapen one to be reported", () => {
    expect(extractPodSpec({ apiVersion: "v1", kind: "ReplicationController", spec: {} })).toBeUndefined();
    const misshapen = { apiVersion: "apps/v1", kind: "Deployment", spec: { template: "t" } };
    expect(extractPodSpec(misshapen)).toEqual({ metadata: undefined, spec: "t", path: "spec.template" });
    for (const object of [null, 1, "x", [], {}, { apiVersion: 1, kind: "Pod" }])
      expect(extractPodSpec(object)).toBeUndefined();
  });
});
