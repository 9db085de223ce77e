import type { Client } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { type ShieldPolicyObject, ShieldPolicyType } from "./kinds.ts";
import { applyStatus } from "./status.ts";

const options = { fieldManager: "tests", fields: ["gaps"] };
const policy = (status: object = {}) =>
  ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "guarded", uid: "u" },
    spec: {},
    status,
  }) as unknown as ShieldPolicyObject;
const recording = () => {
  const applied: { status?: unknown }[] = [];
  const client = {
    apply: (_: unknown, body: object) => {
      applied.push(body);
      return Promise.resolve(body);
    },
  } as unknown as Client;
  return { client, applied };
};

describe("a status", () => {
  it("has no half of a character, wherever it was cut: the API server would refuse all of it", async () => {
    const { client, applied } = recording();
    const status = { gaps: [{ message: "cut \ud83d", objects: [{ name: "\ude00 web" }] }] };
    expect(await applyStatus(client, ShieldPolicyType, policy(), status, options)).toBe(true);
    const [{ status: written } = {}] = applied;
    expect(written).toEqual({ gaps: [{ message: "cut \ufffd", objects: [{ name: "\ufffd web" }] }] });
    // What was written then is not written again.
    const again = policy(written as object);
    expect(await applyStatus(client, ShieldPolicyType, again, status, options)).toBe(false);
    expect(applied).toHaveLength(1);
  });
});
