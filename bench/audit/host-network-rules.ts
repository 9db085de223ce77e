import type { Manifest } from "../../e2e/shieldx/objects.ts";
import type { GatekeeperRule } from "../admission/rules/templates.ts";

/**
 * Distinct rules, all of which the tenth of the Pods breaks that has the host's network (see `seed.ts`): each leaves it to
 * another tier, and no Pod is of any of these.
 */
const tiers = (count: number): string[] => Array.from({ length: count }, (_, at) => `edge-${at + 1}`);
const messageOf = (tier: string): string => `the host's network is for Pods of tier ${tier}`;

const podRules = [
  { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
] as const;

function module(packageName: string, tier: string, message: string): string {
  return `package ${packageName}
violation[{"msg": ${message}}] {
  input.review.object.spec.hostNetwork
  input.review.object.metadata.labels.tier != ${tier}
}
`;
}

export type Language = "cel" | "rego";

/** Policies that look at what exists only. */
export function shieldPolicies(language: Language, count: number): Manifest[] {
  return tiers(count).map((tier) => {
    const name = `host-network-${tier}`;
    const packageName = name.replaceAll("-", "_");
    const rego = {
      version: "v0",
      module: module(packageName, JSON.stringify(tier), JSON.stringify(messageOf(tier))),
      entrypoint: `data.${packageName}.violation`,
    };
    const expression = `!has(object.spec.hostNetwork) || !object.spec.hostNetwork || object.metadata.labels.tier == '${tier}'`;
    return {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name },
      spec: {
        ...(language === "rego"
          ? { engine: "rego", rego }
          : { engine: "cel", validations: [{ expression, message: messageOf(tier) }] }),
        matchConstraints: { resourceRules: podRules },
        actions: { admission: "off", background: "audit" },
      },
    };
  });
}

/** One template, which Gatekeeper evaluates once for all its constraints: its fast form. */
export function gatekeeperRules(count: number, namespaces: readonly string[]): GatekeeperRule[] {
  const kind = "BenchHostNetwork";
  const parameters = { type: "object", properties: { tier: { type: "string" }, msg: { type: "string" } } };
  const template = {
    apiVersion: "templates.gatekeeper.sh/v1",
    kind: "ConstraintTemplate",
    metadata: { name: kind.toLowerCase() },
    spec: {
      crd: { spec: { names: { kind }, validation: { openAPIV3Schema: parameters } } },
      targets: [
        {
          target: "admission.k8s.gatekeeper.sh",
          rego: module("benchhostnetwork", "input.parameters.tier", "input.parameters.msg"),
        },
      ],
    },
  };
  return tiers(count).map((tier) => ({
    template,
    constraint: {
      apiVersion: "constraints.gatekeeper.sh/v1beta1",
      kind,
      metadata: { name: `host-network-${tier}` },
      spec: {
        match: { kinds: [{ apiGroups: [""], kinds: ["Pod"] }], namespaces },
        parameters: { tier, msg: messageOf(tier) },
      },
    },
  }));
}
