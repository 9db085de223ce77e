import { describe, expect, it } from "vitest";
import type { Client } from "../transport/index.ts";
import { findMissingRights, missingRights } from "./rights.ts";

describe("missingRights", () => {
  const needed = [{ apiGroups: ["shieldx.io"], resources: ["shieldpolicies/status"], verbs: ["patch"] }];

  it("names what is missing as people write it", () => {
    expect(missingRights(needed, [])).toEqual(["patch shieldpolicies.shieldx.io/status"]);
  });

  it("understands wildcards, subresource wildcards and names", () => {
    expect(missingRights(needed, [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }])).toEqual([]);
    expect(
      missingRights(needed, [{ apiGroups: ["shieldx.io"], resources: ["*/status"], verbs: ["patch"] }]),
    ).toEqual([]);
    const named = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"], resourceNames: ["a"] }];
    const secrets = { apiGroups: [""], resources: ["secrets"], verbs: ["get"] };
    expect(missingRights([{ ...secrets, resourceNames: ["a"] }], named)).toEqual([]);
    expect(missingRights([{ ...secrets, resourceNames: ["b"] }], named)).toEqual(['get secrets "b"']);
    expect(missingRights([secrets], named)).toEqual(["get secrets"]);
    expect(missingRights([secrets], [{ verbs: ["get"], apiGroups: null, resources: null }])).toEqual([
      "get secrets",
    ]);
  });
});

describe("findMissingRights", () => {
  const secrets = { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"], resourceNames: ["a"] };
  const policies = { apiGroups: ["shieldx.io"], resources: ["shieldpolicies/status"], verbs: ["patch"] };
  const needs = { cluster: [policies], namespace: [secrets] };

  const serverThat = (rules: object, allows: (attributes: Record<string, string>) => boolean) => {
    const asked: Record<string, string>[] = [];
    const request = async (_: string, path: string, { body }: { body: { spec: never } }) => {
      if (path.endsWith("selfsubjectrulesreviews")) return { body: JSON.stringify({ status: rules }) };
      const { resourceAttributes } = body.spec as { resourceAttributes: Record<string, string> };
      asked.push(resourceAttributes);
      return { body: JSON.stringify({ status: { allowed: allows(resourceAttributes) } }) };
    };
    return { client: { request } as unknown as Client, asked };
  };

  it("takes the list of rules at its word when it is complete", async () => {
    const { client, asked } = serverThat({ resourceRules: [policies] }, () => true);
    expect(await findMissingRights(client, needs, "ns")).toEqual(['get,list secrets "a"']);
    expect(asked).toEqual([]);
  });

  it("asks for each right in doubt where the list is incomplete", async () => {
    const rules = { resourceRules: [{ ...secrets, verbs: ["list"] }], incomplete: true };
    const { client, asked } = serverThat(rules, ({ verb }) => verb === "patch");
    expect(await findMissingRights(client, needs, "ns")).toEqual(['get secrets "a"']);
    expect(asked).toEqual([
      { group: "shieldx.io", resource: "shieldpolicies", subresource: "status", verb: "patch" },
      { group: "", resource: "secrets", verb: "get", name: "a", namespace: "ns" },
    ]);
  });
});
