import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import type { GatekeeperRule } from "../../admission/rules/templates.ts";
import type { Parameters } from "../rules/base-rules.ts";
import type { PolicyRule } from "../rules/rules.ts";
import { regoModule } from "./rego-module.ts";

/**
 * `parameters`: a template for each base rule and a constraint for each variant of it, as Gatekeeper's own library is
 * used; it evaluates each template once for all its constraints. `templates`: a template for each rule.
 */
export type GatekeeperForm = "parameters" | "templates";

/** The rules as ConstraintTemplates and constraints for Pods of these namespaces; rules of one base share a template. */
export function gatekeeperRules(
  form: GatekeeperForm,
  rules: readonly PolicyRule[],
  namespaces: readonly string[],
): GatekeeperRule[] {
  return rules.map((rule) => {
    const isShared = form === "parameters";
    const kind = `Bench${capitalised(isShared ? rule.base.name : rule.name)}`;
    return {
      template: template(kind, isShared ? "input.parameters" : JSON.stringify(rule.parameters), rule),
      constraint: {
        apiVersion: "constraints.gatekeeper.sh/v1beta1",
        kind,
        metadata: { name: rule.name },
        spec: {
          match: { kinds: [{ apiGroups: [""], kinds: ["Pod"] }], namespaces },
          parameters: isShared ? { ...rule.parameters, msg: rule.message } : { msg: rule.message },
        },
      },
    };
  });
}

function template(kind: string, params: string, { base, parameters }: PolicyRule): Manifest {
  return {
    apiVersion: "templates.gatekeeper.sh/v1",
    kind: "ConstraintTemplate",
    metadata: { name: kind.toLowerCase() },
    spec: {
      crd: { spec: { names: { kind }, validation: { openAPIV3Schema: schemaOf(parameters) } } },
      targets: [
        {
          target: "admission.k8s.gatekeeper.sh",
          rego: regoModule(kind.toLowerCase(), base, {
            resource: "input.review.object",
            params,
            message: "input.parameters.msg",
          }),
        },
      ],
    },
  };
}

function schemaOf(parameters: Parameters): Manifest {
  const types = Object.entries({ ...parameters, msg: "" }).map(([name, value]) => [
    name,
    { type: typeof value === "number" ? "integer" : "string" },
  ]);
  return { type: "object", properties: Object.fromEntries(types) };
}

function capitalised(name: string): string {
  return name.replace(/(^|-)([a-z0-9])/g, (_, __, first: string) => first.toUpperCase());
}
