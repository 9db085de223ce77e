/** ValidatingAdmissionPolicy and MutatingAdmissionPolicy with their bindings: a ShieldPolicy for each binding. */
import type { Draft } from "./draft.ts";
import { narrowed } from "./narrowing.ts";
import type { Origin } from "./origin.ts";
import { isPlain, type Plain, stated, textAt } from "./plain.ts";
import { groupOf, type Source } from "./source.ts";

interface PolicyKind {
  readonly policy: string;
  readonly binding: string;
  /** Fields of its spec that a ShieldPolicy has under the same name. */
  readonly same: readonly string[];
  readonly known: readonly string[];
}

const validating: PolicyKind = {
  policy: "ValidatingAdmissionPolicy",
  binding: "ValidatingAdmissionPolicyBinding",
  same: ["matchConditions", "variables", "auditAnnotations"],
  known: ["matchConstraints", "validations", "paramKind", "failurePolicy"],
};
const mutating: PolicyKind = {
  policy: "MutatingAdmissionPolicy",
  binding: "MutatingAdmissionPolicyBinding",
  same: ["matchConditions", "variables", "mutations", "reinvocationPolicy"],
  known: ["matchConstraints", "paramKind", "failurePolicy"],
};
const bindingFields = ["policyName", "paramRef", "matchResources", "validationActions"];

export const admissionPolicies: Origin = {
  understands: (name) =>
    groupOf(name) === "admissionregistration.k8s.io" &&
    [validating, mutating].some(({ policy, binding }) => name.kind === policy || name.kind === binding),
  drafts(sources) {
    const own = sources.filter((source) => !isRendered(source));
    return [validating, mutating].flatMap((kind) => draftsOfKind(kind, own));
  },
};

const renderers: readonly (readonly [text: string, product: string])[] = [
  ["shieldx", "ShieldX"],
  ["kyverno", "Kyverno"],
  ["gatekeeper", "Gatekeeper"],
];

/** What a product made of its own policy, in a cluster that is read as a whole: the policy itself is what counts. */
function isRendered(source: Source): boolean {
  const owners = source.records("metadata.ownerReferences") ?? [];
  const labels = source.record("metadata.labels") ?? {};
  const signs = [
    textAt(labels, "app.kubernetes.io/managed-by"),
    ...owners.map((owner) => textAt(owner, "apiVersion")),
  ];
  const found = renderers.find(([text]) => signs.some((sign) => sign?.includes(text)));
  if (found === undefined) return false;
  source.note("", `is left out: ${found[1]} made it of a policy of its own`);
  return true;
}

function draftsOfKind(kind: PolicyKind, sources: readonly Source[]): Draft[] {
  const of = (name: string) => sources.filter((source) => source.name.kind === name);
  const policies = of(kind.policy);
  const names = new Set(policies.map(({ name }) => name.name));
  const bindings = of(kind.binding);
  for (const binding of bindings) {
    binding.known("spec", bindingFields);
    const policyName = binding.text("spec.policyName") ?? "";
    if (!names.has(policyName))
      binding.error(
        "spec.policyName",
        `there is no ${kind.policy} "${policyName}" among the files: give it, too`,
      );
  }
  const byPolicy = Map.groupBy(bindings, (binding) => binding.get("spec.policyName"));
  return policies.flatMap((policy) => {
    policy.known("spec", [...kind.same, ...kind.known]);
    const bound = byPolicy.get(policy.name.name) ?? [];
    const [only, ...others] = bound;
    if (only === undefined) return unbound(kind, policy);
    return bound.flatMap((binding) => {
      const both = `${policy.name.name}-${binding.name.name}`;
      const names = others.length === 0 ? [policy.name.name, both] : [binding.name.name, both];
      const spec = specOf(kind, policy, binding);
      if (policy.isFaulty || binding.isFaulty) return [];
      return [{ from: [policy, binding] as const, names, spec }];
    });
  });
}

function unbound(kind: PolicyKind, policy: Source): Draft[] {
  policy.note(
    "",
    `no ${kind.binding} among the files names it, so that it does nothing: actions.admission is off; choose what it is to do`,
  );
  const { paramKind } = commonSpec(kind, policy);
  if (paramKind !== undefined)
    policy.error(
      "spec.paramKind",
      `says of which kind its parameters are, and no ${kind.binding} which: give one`,
    );
  const spec = { ...commonSpec(kind, policy), actions: { admission: "off" } };
  return policy.isFaulty ? [] : [{ from: [policy], names: [policy.name.name], spec }];
}

/** What comes of the policy alone. */
function commonSpec(kind: PolicyKind, policy: Source): Plain {
  return {
    engine: "cel",
    matchConstraints: policy.record("spec.matchConstraints"),
    ...Object.fromEntries(kind.same.map((field) => [field, policy.get(`spec.${field}`)])),
    paramKind: policy.record("spec.paramKind"),
    validations: policy.records("spec.validations")?.map(trimmedMessage),
    failurePolicy: policy.text("spec.failurePolicy") ?? "Fail",
  };
}

/** The API server leaves blanks around a message out as well (validation.go, validateValidation). */
function trimmedMessage(validation: Plain): Plain {
  const message = textAt(validation, "message")?.trim();
  return stated({ ...validation, message: message === "" ? undefined : message });
}

function specOf(kind: PolicyKind, policy: Source, binding: Source): Plain {
  const common = commonSpec(kind, policy);
  const constraints = common.matchConstraints;
  const matchResources = binding.record("spec.matchResources");
  const paramRef = paramRefOf(common.paramKind !== undefined, binding);
  return {
    ...common,
    matchConstraints: isPlain(constraints) ? narrowed(constraints, matchResources, binding) : constraints,
    paramRef,
    actions: { admission: kind === mutating ? "deny" : admissionOf(policy, binding) },
  };
}

function paramRefOf(hasParamKind: boolean, binding: Source): Plain | undefined {
  const path = "spec.paramRef";
  const paramRef = binding.record(path);
  if (!hasParamKind) {
    if (paramRef !== undefined) binding.note(path, "is left out, for the policy has no paramKind");
    return undefined;
  }
  if (paramRef === undefined) {
    binding.error(
      path,
      "is missing: the policy has a paramKind, and a ShieldPolicy with one says which are used",
    );
    return undefined;
  }
  if (textAt(paramRef, "parameterNotFoundAction") !== undefined) return paramRef;
  binding.note(`${path}.parameterNotFoundAction`, "is missing: Deny is taken");
  return { ...paramRef, parameterNotFoundAction: "Deny" };
}

function admissionOf(policy: Source, binding: Source): string {
  const path = "spec.validationActions";
  const actions = binding.texts(path) ?? [];
  const unknown = actions.find((action) => !["Deny", "Warn", "Audit"].includes(action));
  if (unknown !== undefined) binding.error(path, `${unknown} is not Deny, Warn or Audit: correct it`);
  if (actions.length === 0) binding.error(path, "is missing: say Deny, Warn or Audit");
  if ((policy.records("spec.auditAnnotations") ?? []).length > 0)
    policy.note(
      "spec.auditAnnotations",
      "the keys in the audit log begin with the name of what ShieldX renders: change who looks for them",
    );
  const strongest = ["Deny", "Warn", "Audit"].find((action) => actions.includes(action)) ?? "Audit";
  if (actions.length > 1 && actions.includes("Audit"))
    binding.lost(
      path,
      `a ShieldPolicy does one thing: it does ${strongest}, and Audit besides is left out; set actions.background: audit to have what exists reported`,
    );
  return strongest.toLowerCase();
}
