import type { ObjectMeta } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { isKept } from "./kept.ts";

const object = (labels: Record<string, string>, manager: string, subresource?: string): ObjectMeta => ({
  name: "a",
  labels,
  managedFields: [
    { manager: "kubectl-create", operation: "Update" },
    { manager, operation: "Apply", ...(subresource === undefined ? {} : { subresource }) },
  ],
});
const generated = { "shieldx.io/generator": "x", "app.kubernetes.io/managed-by": "shieldx-operator" };
const managed = { "app.kubernetes.io/managed-by": "shieldx-operator" };

describe("what no clean-up looks at", () => {
  it("is what ShieldX has written and bears its label", () => {
    expect(isKept(object(generated, "shieldx-generation"))).toBe(true);
    expect(isKept(object(managed, "shieldx-audit"))).toBe(true);
  });

  it("is not what somebody put a label of ours on, or copied", () => {
    expect(isKept(object({ "shieldx.io/generator": "x" }, "kubectl-label"))).toBe(false);
    expect(isKept(object(generated, "kubectl-create"))).toBe(false);
    expect(isKept(object(managed, "kubectl-label"))).toBe(false);
    expect(isKept({ name: "a", labels: managed })).toBe(false);
  });

  it("is not what ShieldX once wrote and somebody took over, or of which it only wrote the status", () => {
    expect(isKept(object({}, "shieldx-generation"))).toBe(false);
    expect(isKept(object(managed, "shieldx-audit", "status"))).toBe(false);
  });

  it("is a generator's only if the generator's part has written it", () => {
    expect(isKept(object(generated, "shieldx-audit"))).toBe(false);
  });
});
