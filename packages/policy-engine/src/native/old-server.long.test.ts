// A real API server of the oldest version we work with: it refuses a policy exactly where we say that it lacks a function.
import type { ShieldPolicySpec } from "@shieldx/crds";
import { startCluster } from "@shieldx/e2e/cluster";
import { expect, it } from "vitest";
import { ApiClient } from "../../testing/cel-oracle/api-client.ts";
import { functionCatalogue } from "../../testing/cel-oracle/function-catalogue.ts";
import { type OraclePolicy, oraclePolicy } from "../../testing/cel-oracle/policies.ts";
import { compileCelRules } from "../cel/admission/compile.ts";
import { CelRulesError } from "../cel/admission/errors.ts";
import { missingOnServer } from "../cel/admission/server-functions.ts";

const firstSeed = Number(process.env.SHIELDX_SEED ?? 20_260_101);
/** Each function of the catalogue is in turn in two rules. */
const policyCount = functionCatalogue.length * 3;

const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All";
const matchConstraints = {
  resourceRules: [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE" as const], resources: ["configmaps"] },
  ],
};

function compiles(spec: OraclePolicy["spec"]): boolean {
  try {
    compileCelRules(spec as Parameters<typeof compileCelRules>[0]);
    return true;
  } catch (error) {
    if (error instanceof CelRulesError) return false;
    throw error;
  }
}

it("lacks on Kubernetes 1.34 what we say, and nothing else", { timeout: 1_800_000 }, async () => {
  await using cluster = await startCluster({ name: "old-functions", kubernetes: "1.34" });
  const api = await ApiClient.fromKubeconfig(cluster.kubeconfig);
  const wrong: unknown[] = [];
  const taken = new Set<string>();
  const refused = new Map<string, number>();
  let lacking = 0;
  try {
    for (let turn = 0; turn < policyCount; turn++) {
      const { spec, used, isHeavy } = oraclePolicy(firstSeed + turn, turn);
      if (isHeavy) continue;
      const isFine = compiles(spec);
      const ours = { engine: "cel", actions: { admission: "deny" }, ...spec } as unknown as ShieldPolicySpec;
      const missing = missingOnServer(ours, 34);
      const answer = await api.send("POST", path, {
        ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicy" },
        metadata: { name: "asked" },
        spec: { ...spec, matchConstraints },
      });
      const isTaken = answer.status === 201;
      if (isTaken !== (isFine && missing === undefined))
        wrong.push({ turn, isFine, missing, answer: answer.body, spec });
      if (missing !== undefined) lacking++;
      for (const key of used) {
        if (isTaken) taken.add(key);
        else if (missing !== undefined) refused.set(key, (refused.get(key) ?? 0) + 1);
      }
    }
  } finally {
    api.close();
  }
  expect(wrong.slice(0, 3), `seed ${firstSeed}: ${wrong.length} differ`).toEqual([]);
  const never = functionCatalogue.map(({ key }) => key).filter((key) => !taken.has(key));
  console.info(`${policyCount} policies, ${lacking} call what 1.34 lacks; never taken: ${never.join(", ")}`);
  // Of cel-go's lists, and of nothing else; each of them was tried.
  expect(never.map((key) => key.replace(/\(.*$/, "")).sort()).toEqual([
    "lists: list<int>.reverse",
    "lists: list<int>.slice",
    "lists: list<int>.sort",
    "lists: list<list<int>>.flatten",
    "lists: list<string>.distinct",
    "lists: list<string>.sort",
    "lists: lists.range",
  ]);
  expect(never.filter((key) => !refused.has(key))).toEqual([]);
});
