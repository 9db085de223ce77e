import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { type RestrictedRule, regoModule, restrictedRules } from "./restricted.ts";

export interface GatekeeperRule {
  readonly template: Manifest;
  readonly constraint: Manifest;
}

/** One ConstraintTemplate and Constraint for each rule, as Gatekeeper's own library has it. */
export function templatesByRule(namespaces: readonly string[]): GatekeeperRule[] {
  return restrictedRules.map((rule) => gatekeeperRule(rule.name, [rule], namespaces));
}

/** All sixteen rules in one template: fewer evaluations, which nobody's library does. */
export function templateOfAll(namespaces: readonly string[]): GatekeeperRule {
  return gatekeeperRule("all-restricted", restrictedRules, namespaces);
}

function gatekeeperRule(
  name: string,
  rules: readonly RestrictedRule[],
  namespaces: readonly string[],
): GatekeeperRule {
  const kind = `Bench${name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())}`;
  return {
    template: {
      apiVersion: "templates.gatekeeper.sh/v1",
      kind: "ConstraintTemplate",
      metadata: { name: kind.toLowerCase() },
      spec: {
        crd: { spec: { names: { kind } } },
        targets: [{ target: "admission.k8s.gatekeeper.sh", rego: regoModule(kind.toLowerCase(), rules) }],
      },
    },
    constraint: {
      apiVersion: "constraints.gatekeeper.sh/v1beta1",
      kind,
      metadata: { name },
      spec: { match: { kinds: [{ apiGroups: [""], kinds: ["Pod"] }], namespaces } },
    },
  };
}
