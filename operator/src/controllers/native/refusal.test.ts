import { ApiError } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { refusalOfPolicy } from "./refusal.ts";

const apiError = (code: number, message: string) =>
  new ApiError({ verb: "apply", resource: "validatingadmissionpolicies", name: "shieldx-p" }, code, {
    kind: "Status",
    message,
    code,
  });

describe("refusalOfPolicy", () => {
  it("says which right is missing for parameters, without the ids of our token, and that granting it helps", () => {
    const words =
      'spec.paramKind: Forbidden: user &{system:serviceaccount:shieldx-system:shieldx-operator 0b29 [] map[JTI=5a35]} must have "get" permission on all objects of the referenced paramKind (kind=ConfigMap, apiVersion=v1)';
    const refusal = refusalOfPolicy(apiError(422, words));
    expect(refusal?.reason).toBe("MissingRights");
    expect(refusal?.message).toMatch(/grant get on all v1 ConfigMap objects .*shieldx-operator/);
    expect(refusal?.message).not.toContain("JTI");
  });

  it("hands on what the API server says of the policy itself", () => {
    const refusal = refusalOfPolicy(apiError(422, "spec.validations[0].expression: Syntax error"));
    expect(refusal?.reason).toBe("RefusedByServer");
    expect(refusal?.message).toContain("Syntax error");
  });

  it("leaves to the queue what may pass by itself", () => {
    expect(refusalOfPolicy(apiError(500, "etcd has no leader"))).toBeUndefined();
    expect(refusalOfPolicy(new Error("connection reset"))).toBeUndefined();
  });
});
