/** Kyverno's policies in CEL: ValidatingPolicy, MutatingPolicy, ImageValidatingPolicy, and those of one namespace. */
import { type Draft, looksAtUser } from "./draft.ts";
import { type Controllers, controllersOf, forControllers } from "./kyverno-autogen.ts";
import { imagePolicyDrafts } from "./kyverno-images.ts";
import { kyvernoAdvice } from "./kyverno-libraries.ts";
import { bothSelectors } from "./narrowing.ts";
import type { Origin } from "./origin.ts";
import { type Plain, stated, textAt } from "./plain.ts";
import { groupOf, type Source } from "./source.ts";

const kinds = [
  "ValidatingPolicy",
  "NamespacedValidatingPolicy",
  "MutatingPolicy",
  "NamespacedMutatingPolicy",
  "ImageValidatingPolicy",
  "NamespacedImageValidatingPolicy",
];
const common = ["matchConstraints", "matchConditions", "variables", "failurePolicy", "evaluation", "autogen"];
const known = {
  validating: [...common, "validations", "validationActions", "auditAnnotations", "webhookConfiguration"],
  mutating: [...common, "mutations", "reinvocationPolicy", "targetMatchConstraints", "webhookConfiguration"],
} as const;

export const kyverno: Origin = {
  understands: (name) => groupOf(name) === "policies.kyverno.io" && kinds.includes(name.kind),
  drafts: (sources) => sources.flatMap(draftsOf),
};

function draftsOf(source: Source): Draft[] {
  if (source.name.kind.endsWith("ImageValidatingPolicy")) return imageDrafts(source);
  const isMutating = source.name.kind.endsWith("MutatingPolicy");
  source.known("spec", isMutating ? known.mutating : known.validating);
  tellWhatIsNot(source);
  const spec = isMutating ? mutatingSpec(source) : validatingSpec(source);
  const controllers = controllersOf(source);
  if (source.isFaulty) return [];
  const whole = wholeName(source);
  const draft = (named: string, made: Plain): Draft => ({
    from: [source],
    names: [named, `${named}-${isMutating ? "mutating" : "validating"}`],
    spec: made,
    advice: (path) => kyvernoAdvice(made, path),
  });
  const derived = controllers.map((each) => derivedDraft(draft, whole, spec, each, source));
  return [draft(whole, spec), ...derived.flat()];
}

/** Those of one namespace are named after it, too: ShieldPolicies are of the whole cluster. */
function wholeName({ name: { kind, namespace, name } }: Source): string {
  return kind.startsWith("Namespaced") ? `${namespace ?? "default"}-${name}` : name;
}

function imageDrafts(source: Source): Draft[] {
  tellMode(source);
  const admission = isAdmission(source) ? admissionOf(source) : "off";
  const background = (source.flag("spec.evaluation.background.enabled") ?? true) ? "audit" : "off";
  const { matchConstraints, failurePolicy } = commonSpec(source);
  const common = { matchConstraints, failurePolicy, actions: { admission, background } };
  return imagePolicyDrafts(source, wholeName(source), common);
}

function derivedDraft(
  draft: (name: string, spec: Plain) => Draft,
  name: string,
  spec: Plain,
  controllers: Controllers,
  source: Source,
): Draft[] {
  const made = forControllers(spec, controllers);
  if (made === undefined) {
    source.lost(
      "spec.mutations",
      `changes Pods by JSONPatch, whose paths are not those of ${controllers.name}: write a policy for these where they are to be changed, too`,
    );
    return [];
  }
  source.note(
    "spec.autogen",
    `as Kyverno does of itself, the rule is held against what Pods are made of, too: ${controllers.resources.join(", ")}`,
  );
  return [draft(`${name}-${controllers.name}`, made)];
}

/** Kyverno calls payloads JSON, HTTP or Envoy. */
function tellMode(source: Source): void {
  const mode = source.text("spec.evaluation.mode") ?? "Kubernetes";
  if (mode !== "Kubernetes")
    source.error(
      "spec.evaluation.mode",
      `${mode} is about payloads that are no objects of a cluster: keep it in Kyverno`,
    );
}

function tellWhatIsNot(source: Source): void {
  tellMode(source);
  if (source.get("spec.targetMatchConstraints") !== undefined)
    source.error(
      "spec.targetMatchConstraints",
      "changes objects other than that of the request: a ShieldPolicy does not; keep it in Kyverno",
    );
  if (source.get("spec.webhookConfiguration") !== undefined)
    source.note(
      "spec.webhookConfiguration",
      "is left out: ShieldX sets how long the API server waits for it",
    );
  if (source.get("spec.evaluation.mutateExisting") !== undefined)
    source.lost(
      "spec.evaluation.mutateExisting",
      "objects that exist are not changed until somebody writes them",
    );
  for (const field of ["validatingAdmissionPolicy", "mutatingAdmissionPolicy"])
    if (source.get(`spec.autogen.${field}`) !== undefined)
      source.note(
        `spec.autogen.${field}`,
        "is left out: spec.evaluation of a ShieldPolicy says who evaluates it",
      );
}

function commonSpec(source: Source): Plain {
  const isOfNamespace = source.name.kind.startsWith("Namespaced");
  const constraints = source.record("spec.matchConstraints");
  const own = { matchLabels: { "kubernetes.io/metadata.name": source.name.namespace ?? "default" } };
  return {
    engine: "cel",
    matchConstraints:
      constraints === undefined || !isOfNamespace
        ? constraints
        : stated({ ...constraints, namespaceSelector: bothSelectors(constraints.namespaceSelector, own) }),
    matchConditions: source.records("spec.matchConditions"),
    variables: source.records("spec.variables"),
    failurePolicy: source.text("spec.failurePolicy") ?? "Fail",
  };
}

function isAdmission(source: Source): boolean {
  return source.flag("spec.evaluation.admission.enabled") ?? true;
}

function validatingSpec(source: Source): Plain {
  const made = {
    ...commonSpec(source),
    validations: source.records("spec.validations")?.map(withTrimmedMessage),
    auditAnnotations: source.records("spec.auditAnnotations"),
  };
  const admission = isAdmission(source) ? admissionOf(source) : "off";
  return { ...made, actions: { admission, background: backgroundOf(source, made) } };
}

function withTrimmedMessage(validation: Plain): Plain {
  const message = textAt(validation, "message")?.trim();
  return stated({ ...validation, message: message === "" ? undefined : message });
}

function admissionOf(source: Source): string {
  const path = "spec.validationActions";
  const actions = source.texts(path) ?? [];
  const unknown = actions.find((action) => !["Deny", "Warn", "Audit"].includes(action));
  if (unknown !== undefined) source.error(path, `${unknown} is not Deny, Warn or Audit: correct it`);
  const strongest = ["Deny", "Warn", "Audit"].find((action) => actions.includes(action)) ?? "Deny";
  if (actions.includes("Warn") && strongest === "Deny")
    source.lost(path, "a ShieldPolicy does one thing: it does Deny, and Warn besides is left out");
  return strongest.toLowerCase();
}

function backgroundOf(source: Source, made: Plain): string {
  if (!(source.flag("spec.evaluation.background.enabled") ?? true)) return "off";
  if (!looksAtUser(made)) return "audit";
  source.lost(
    "spec.evaluation.background",
    "the policy looks at who asks, which objects that exist do not tell: only requests are judged",
  );
  return "off";
}

function mutatingSpec(source: Source): Plain {
  return {
    ...commonSpec(source),
    mutations: source.records("spec.mutations"),
    reinvocationPolicy: source.text("spec.reinvocationPolicy"),
    actions: { admission: isAdmission(source) ? "deny" : "off" },
  };
}
