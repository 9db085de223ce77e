/** `spec` of a NamespacedShieldPolicy: what of a ShieldPolicy a tenant may say about his own namespace. */
import * as z from "zod";
import { matchConstraints } from "../kubernetes/match-resources.ts";
import { subdomain } from "../kubernetes/names.ts";
import { actions } from "../shieldpolicy/actions.ts";
import { celFields, matchCondition } from "../shieldpolicy/cel.ts";
import { podSecurity } from "../shieldpolicy/pod-security.ts";
import { inventoryKind, regoSource } from "../shieldpolicy/rego.ts";
import { policyTests } from "../shieldpolicy/tests.ts";
import { mapList } from "../structural/fields.ts";
import { type Rule, rule } from "../structural/server-check.ts";

/** Each is a watch in every replica. */
export const MAX_TENANT_INVENTORY_KINDS = 4;

const tenantMatchCondition = matchCondition
  .extend({
    expression: matchCondition.shape.expression.describe(
      "CEL expression over object, oldObject and request that says whether the policy applies.",
    ),
  })
  .describe("One condition a request must meet for the policy to apply.");

const tenantMatchConstraints = matchConstraints.check(
  rule<{ namespaceSelector?: unknown }>({
    rule: "!has(self.namespaceSelector)",
    message:
      "a NamespacedShieldPolicy is about its own namespace and no other: remove namespaceSelector, or ask the platform team for a ShieldPolicy",
    reason: "FieldValueForbidden",
    fieldPath: ".namespaceSelector",
    holds: ({ namespaceSelector }) => namespaceSelector === undefined,
  }),
  rule<{ resourceRules?: readonly { readonly scope?: string | undefined }[] | undefined }>({
    rule: "!has(self.resourceRules) || self.resourceRules.all(r, !has(r.scope) || r.scope != 'Cluster')",
    message: "a NamespacedShieldPolicy is never about cluster-scoped objects: remove scope: Cluster",
    reason: "FieldValueForbidden",
    fieldPath: ".resourceRules",
    holds: ({ resourceRules = [] }) => resourceRules.every(({ scope }) => scope !== "Cluster"),
  }),
);

/** `spec.paramRef`: one object of the policy's own namespace. */
const tenantParamRef = z.object({
  name: subdomain().describe("Name of the parameter object, in the namespace of the policy."),
  parameterNotFoundAction: z
    .enum(["Allow", "Deny"])
    .describe("What happens to a request when there is no such object: Allow or Deny."),
});

const tenantRego = z
  .object({
    module: regoSource.module,
    libs: regoSource.libs,
    version: z.enum(["v0", "v1"]).default("v1").describe("Version of the Rego language."),
    entrypoint: regoSource.entrypoint,
    inventory: mapList(inventoryKind, { max: MAX_TENANT_INVENTORY_KINDS, keys: ["apiVersion", "kind"] })
      .describe(
        "Kinds of objects of the policy's own namespace that it looks at: " +
          "data.inventory.namespace[namespace][apiVersion][kind][name]. There is nothing of other namespaces, and no Secrets. " +
          "ShieldX needs the right to watch them: see rbac.inventoryKinds of its chart.",
      )
      .exactOptional(),
  })
  .check(
    rule<{ libs?: unknown; entrypoint?: unknown }>({
      rule: "!has(self.libs) || has(self.entrypoint)",
      message:
        "with libs it must be said which rule counts: set entrypoint (e.g. data.shieldx.deny), or remove libs",
      reason: "FieldValueRequired",
      fieldPath: ".entrypoint",
      holds: ({ libs, entrypoint }) => libs === undefined || entrypoint !== undefined,
    }),
  );

const fields = z.object({
  engine: z
    .enum(["podSecurity", "cel", "rego"])
    .describe(
      "How the policy is written: podSecurity is a level of the Pod Security Standards, cel the syntax of " +
        "ValidatingAdmissionPolicy, rego OPA's language.",
    ),
  podSecurity: podSecurity
    .omit({ exemptions: true })
    .describe("Level of the Pod Security Standards that Pods must keep, for engine podSecurity.")
    .exactOptional(),
  matchConstraints: tenantMatchConstraints
    .describe(
      "Which requests about objects of the policy's own namespace it is about, shaped as in ValidatingAdmissionPolicy.",
    )
    .exactOptional(),
  matchConditions: mapList(tenantMatchCondition, { max: 64, keys: ["name"] })
    .describe("CEL conditions which must all be true for the policy to apply to a request.")
    .exactOptional(),
  paramKind: celFields.paramKind,
  paramRef: tenantParamRef.describe("Which object of paramKind is used.").exactOptional(),
  variables: celFields.variables,
  validations: celFields.validations,
  rego: tenantRego.describe("Policy in OPA's language Rego, for engine rego.").exactOptional(),
  actions: actions
    .omit({ http: true })
    .describe("What the policy does, separately for requests and for objects that already exist."),
  failurePolicy: z
    .enum(["Fail", "Ignore"])
    .describe(
      "What happens to a request in this namespace while the policy cannot be evaluated: Fail refuses it, Ignore lets it pass. " +
        "Left out, it is Fail when actions.admission is deny, else Ignore. What nodes and the cluster's own controllers change " +
        "or delete never waits for the policy.",
    )
    .exactOptional(),
  tests: policyTests
    .describe(
      "Cases the policy must pass before it goes into force; while one fails, the version before stays. An object without a " +
        "namespace is in that of the policy.",
    )
    .exactOptional(),
});

type SpecFields = z.output<typeof fields>;

/** Refuses a field of some engines in a policy of another. */
function onlyFor(
  field: "validations" | "variables" | "paramKind",
  engines: readonly string[],
): Rule<SpecFields> {
  return {
    rule: `self.engine in [${engines.map((name) => `'${name}'`).join(", ")}] || !has(self.${field})`,
    message: `belongs to engine ${engines.join(" and ")}: remove it, or put it into a policy of its own`,
    reason: "FieldValueForbidden",
    fieldPath: `.${field}`,
    holds: (spec) => engines.includes(spec.engine) || spec[field] === undefined,
  };
}

/** What an engine is told by belongs to it, and is needed. */
function partOf(engine: "podSecurity" | "rego", example: string): Rule<SpecFields> {
  return {
    rule: `(self.engine == '${engine}') == has(self.${engine})`,
    message: `spec.${engine} and engine ${engine} belong together: set both (${example}), or neither`,
    fieldPath: `.${engine}`,
    holds: (spec) => (spec.engine === engine) === (spec[engine] !== undefined),
  };
}

const rules: readonly Rule<SpecFields>[] = [
  partOf("podSecurity", "podSecurity: {level: restricted}"),
  partOf("rego", "rego: {module: ...}"),
  onlyFor("validations", ["cel"]),
  onlyFor("variables", ["cel"]),
  onlyFor("paramKind", ["cel", "rego"]),
  {
    rule: "self.engine != 'cel' || (has(self.validations) && size(self.validations) > 0)",
    message: "engine cel needs at least one entry in spec.validations: add a rule to keep",
    reason: "FieldValueRequired",
    fieldPath: ".validations",
    holds: ({ engine, validations = [] }) => engine !== "cel" || validations.length > 0,
  },
  {
    rule: "self.engine != 'podSecurity' || !has(self.matchConditions)",
    message:
      "matchConditions with engine podSecurity are not yet supported: choose Pods by matchConstraints.objectSelector",
    reason: "FieldValueForbidden",
    fieldPath: ".matchConditions",
    holds: (spec) => spec.engine !== "podSecurity" || spec.matchConditions === undefined,
  },
  {
    rule:
      "self.engine == 'podSecurity' || (has(self.matchConstraints) && has(self.matchConstraints.resourceRules) && " +
      "size(self.matchConstraints.resourceRules) > 0)",
    message:
      "engines cel and rego need spec.matchConstraints.resourceRules: name the groups, versions, resources and operations the policy is about",
    reason: "FieldValueRequired",
    fieldPath: ".matchConstraints",
    holds: ({ engine, matchConstraints: constraints }) =>
      engine === "podSecurity" || (constraints?.resourceRules ?? []).length > 0,
  },
  {
    rule: "has(self.paramKind) == has(self.paramRef)",
    message: "spec.paramKind and spec.paramRef belong together: set both or neither",
    fieldPath: ".paramRef",
    holds: ({ paramKind, paramRef }) => (paramKind === undefined) === (paramRef === undefined),
  },
];

/** `spec` of a NamespacedShieldPolicy. */
export const tenantSpec = fields
  .check(...rules.map((entry) => rule<SpecFields>(entry)))
  .describe("What the policy demands in its namespace and what it does.");
