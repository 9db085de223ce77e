import type { Lease } from "@shieldx/controller-runtime";
import { ANNOTATION } from "@shieldx/crds";
import { expect, it } from "vitest";
import { replicaChanged } from "./replica-changed.ts";

const lease = (annotations: Record<string, string>, spec: Lease["spec"] = {}): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "r", annotations },
  spec,
});
const isChange = (old: Lease, object: Lease) => replicaChanged({ kind: "updated", old, object });

it("is about what the replica holds, not about renewals and exceptions", () => {
  const renewed = { renewTime: "2026-01-01T00:00:00.000000Z" };
  expect(isChange(lease({}), lease({}, renewed))).toBe(false);
  const told = { [ANNOTATION.exceptionUses]: "{}", [ANNOTATION.exceptionApprovals]: "[]" };
  expect(isChange(lease({}), lease(told))).toBe(false);
  expect(isChange(lease(told), lease({ ...told, [ANNOTATION.policySetDigest]: "d" }))).toBe(true);
  expect(isChange(lease({}, { holderIdentity: "r" }), lease({}, { holderIdentity: "" }))).toBe(true);
});
