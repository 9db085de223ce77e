/** How sets of policies answer requests where files stand in the place of a cluster. */
import type { ShieldException, ShieldPolicy } from "@shieldx/crds";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import { nameOf } from "../policy-set/exceptions.ts";
import type { MutationVerdict } from "../policy-set/mutate.ts";
import type { EvaluationContext, PolicySet } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { Verdict } from "../policy-set/verdict.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import { contextOf, createRequest, isNamespace, labelsOfNamespaces } from "./context.ts";
import { inventoryInFiles } from "./inventory.ts";
import { ParametersInFiles } from "./parameters.ts";
import { type DefinedResources, definedResources } from "./resource-of.ts";

/** Policies, and what they look at. */
export interface SetInFiles {
  readonly policies: readonly ShieldPolicy[];
  readonly exceptions: readonly ShieldException[];
  /** Parameters, namespaces, definitions of kinds, objects that policies in Rego look at. */
  readonly known: readonly unknown[];
  readonly resources?: DefinedResources | undefined;
  readonly rego?: RegoLookup | undefined;
}

const defaultNamespace = "default";

/** The request that creates an object; undefined for what does not say what it is. `known`: definitions of kinds among it. */
export function requestToCreate(
  known: readonly unknown[],
): (object: unknown) => AdmissionRequestLike | undefined {
  const defined = definedResources(known);
  return (object) => createRequest(object, defined, defaultNamespace);
}

/** What each request is judged with. */
export function contextsInFiles(
  { known, resources }: Pick<SetInFiles, "known" | "resources">,
  now: number,
): (request: AdmissionRequestLike) => EvaluationContext {
  const defined = new Map([...(resources ?? []), ...definedResources(known)]);
  const lookedAt = {
    params: new ParametersInFiles(known, defined, defaultNamespace).lookUp,
    inventory: inventoryInFiles(known, defined, defaultNamespace),
  };
  const labels = labelsOfNamespaces(known);
  const namespaces = new Map(known.filter(isNamespace).map((object) => [nameOf(object), object]));
  return (request) => {
    const told = contextOf(request, labels, lookedAt, now);
    return { ...told, namespaceObject: namespaces.get(request.namespace ?? "") ?? told.namespaceObject };
  };
}

/** What mutations say, which come first, and what is said of the object they make. */
export function answersTo(
  request: AdmissionRequestLike,
  set: PolicySet,
  context: EvaluationContext,
): readonly [MutationVerdict, Verdict] {
  const mutation = set.mutate(request, { ...context, types: () => typeWithoutSchema });
  const made = mutation.object === undefined ? request : { ...request, object: mutation.object };
  return [mutation, set.evaluate(made, context)];
}
