import { ApiError } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { refusalOf } from "./apply.ts";

const apiError = (code: number, message: string) =>
  new ApiError({ verb: "apply", resource: "validatingadmissionpolicies", name: "shieldx-p" }, code, {
    kind: "Status",
    message,
    code,
  });

describe("refusalOf", () => {
  it("says which right is missing for parameters, without the ids of our token, and that granting it helps", () => {
    const words =
      'spec.paramKind: Forbidden: user &{system:serviceaccount:shieldx-system:shieldx-operator 0b29 [] map[JTI=5a35]} must have "get" permission on all objects of the referenced paramKind (kind=ConfigMap, apiVersion=v1)';
    const refusal = refusalOf(apiError(422, words));
    expect(refusal?.isForWantOfRights).toBe(true);
    expect(refusal?.message).toMatch(/grant get on all v1 ConfigMap objects .*shieldx-operator/);
    expect(refusal?.message).not.toContain("JTI");
  });

  it("hands on what the API server says of the policy itself, and does not try that again", () => {
    const refusal = refusalOf(apiError(422, "spec.validations[0].expression: Syntax error"));
    expect(refusal).toMatchObject({ isForWantOfRights: false });
    expect(refusal?.message).toContain("Syntax error");
  });

  it("leaves to the queue what may pass by itself", () => {
    expect(refusalOf(apiError(500, "etcd has no leader"))).toBeUndefined();
    expect(refusalOf(new Error("connection reset"))).toBeUndefined();
  });
});
