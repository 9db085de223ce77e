import type { ShieldPolicy, ShieldPolicySpec } from "../shieldpolicy/schema.ts";
import { tenantPolicyName } from "./policy-name.ts";
import type { NamespacedShieldPolicy } from "./schema.ts";

/** What a namespace is selected by: every namespace bears its name as this label, set by the API server. */
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";

const converted = new WeakMap<object, ShieldPolicy>();

/**
 * A tenant's policy as the one form that everything behind this knows: a ShieldPolicy called `namespace/name` that is
 * about nothing outside its namespace. Only what a tenant may say is taken over, whatever else a stored object holds;
 * the same object each time for the same one.
 */
export function asShieldPolicy(policy: NamespacedShieldPolicy): ShieldPolicy {
  const known = converted.get(policy);
  if (known !== undefined) return known;
  const { namespace = "default", name, ...metadata } = policy.metadata;
  const made: ShieldPolicy = {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { ...metadata, name: tenantPolicyName(namespace, name) },
    spec: confined(policy.spec, namespace),
    ...(policy.status === undefined ? {} : { status: policy.status }),
  };
  converted.set(policy, made);
  return made;
}

function confined(spec: NamespacedShieldPolicy["spec"], namespace: string): ShieldPolicySpec {
  const { engine, matchConstraints, paramRef, rego, actions, ...said } = spec;
  const { podSecurity, matchConditions, paramKind, variables, validations, failurePolicy, tests } = said;
  return defined({
    engine,
    podSecurity: podSecurity && { level: podSecurity.level, version: podSecurity.version },
    matchConstraints: defined({
      resourceRules: matchConstraints?.resourceRules?.map((rule) => ({
        ...rule,
        scope: "Namespaced" as const,
      })),
      excludeResourceRules: matchConstraints?.excludeResourceRules,
      namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } },
      objectSelector: matchConstraints?.objectSelector,
      matchPolicy: matchConstraints?.matchPolicy ?? ("Equivalent" as const),
    }),
    matchConditions,
    paramKind,
    paramRef: paramRef && {
      name: paramRef.name,
      namespace,
      parameterNotFoundAction: paramRef.parameterNotFoundAction,
    },
    variables,
    validations,
    rego:
      rego &&
      defined({
        module: rego.module,
        libs: rego.libs,
        version: rego.version ?? "v1",
        entrypoint: rego.entrypoint,
        inventory: rego.inventory,
      }),
    actions: actions && defined({ admission: actions.admission, background: actions.background }),
    evaluation: "Webhook" as const,
    failurePolicy,
    tests,
  });
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Left out is not undefined, to schemas. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
