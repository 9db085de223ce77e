import { ApiError } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import type { PlannedObject } from "./plan.ts";
import { blamed, refusalOfPolicy } from "./refusal.ts";

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

describe("blamed", () => {
  const member = (policy: string) => ({
    policy,
    uid: policy,
    digest: "",
    validations: [{ expression: policy }],
    variables: [{ name: policy, expression: policy }],
  });
  const planned = {
    wants: ["a", "b"].map((policy) => ({ policy })),
    merged: { members: ["a", "b", "former"].map(member) },
  } as unknown as PlannedObject;
  const refused = (field: string, code = 422) => {
    const status = { kind: "Status", message: `${field}: Invalid value`, code } as const;
    const details = { causes: [{ reason: "FieldValueInvalid", message: "no", field }] };
    const error = new ApiError({ verb: "apply", resource: "validatingadmissionpolicies", name: "g" }, code, {
      ...status,
      details,
    });
    return { error, refusal: refusalOfPolicy(error)! };
  };
  const found = (field: string, code?: number) => {
    const { error, refusal } = refused(field, code);
    return blamed(error, refusal, planned);
  };

  it("is whose expression the API server names", () => {
    expect(found("spec.validations[1].expression")).toEqual(["b"]);
    expect(found("spec.variables[0].expression")).toEqual(["a"]);
  });

  it("is everybody where it names none of those who belong there", () => {
    expect(found("spec.validations[2].expression")).toEqual(["a", "b"]);
    expect(found("spec.matchConstraints")).toEqual(["a", "b"]);
  });

  it("is nobody where the right is missing, which none of them would have alone", () => {
    expect(found("", 403)).toEqual([]);
  });
});
