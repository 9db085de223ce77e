/** Bindings of admission policies, which the Kyverno CLI does without. */
import { at, isPlain, textAt } from "../foreign/plain.ts";

const bindingKinds: ReadonlyMap<string, string> = new Map([
  ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
  ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"],
]);

/**
 * The Kyverno CLI holds policies without a binding against everything, and cares for no binding's actions: both are written out,
 * as an API server would want them.
 */
export function withBindings(objects: readonly unknown[]): unknown[] {
  const given = objects.map((object) =>
    isBinding(object) && at(object, "spec", "validationActions") === undefined ? denying(object) : object,
  );
  const missing = objects.flatMap((policy) => {
    const kind = bindingKinds.get(textAt(policy, "kind") ?? "");
    const name = textAt(policy, "metadata", "name");
    const isBound = objects.some(
      (object) => isBinding(object) && textAt(object, "spec", "policyName") === name,
    );
    if (kind === undefined || isBound) return [];
    const apiVersion = textAt(policy, "apiVersion");
    return [denying({ apiVersion, kind, metadata: { name }, spec: { policyName: name } })];
  });
  return [...given, ...missing];
}

export function isBinding(object: unknown): boolean {
  return [...bindingKinds.values()].includes(textAt(object, "kind") ?? "");
}

function denying(binding: unknown): unknown {
  const spec = at(binding, "spec");
  if (!isPlain(binding) || !isPlain(spec) || textAt(binding, "kind")?.startsWith("Validating") !== true)
    return binding;
  return { ...binding, spec: { ...spec, validationActions: ["Deny"] } };
}
