import { kinds, type PolicyTest } from "@shieldx/crds";
import { Inventory } from "../inventory/index.ts";
import { type DefinedResources, namespaceOf, resourceOf } from "../offline/resource-of.ts";
import { nameOf } from "../policy-set/exceptions.ts";
import type { InventoryAtHand } from "../policy-set/inventory.ts";
import type { ParamLookup } from "../policy-set/params.ts";
import type { EvaluationContext } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";

/** Who asks, where a case does not say. */
export const DEFAULT_USERNAME = "policy-test";

/** A case as a request that the API server might send, and what is known beside it. */
export interface TestRequest {
  readonly request: AdmissionRequestLike;
  readonly context: Pick<
    EvaluationContext,
    "namespaceLabels" | "namespaceObject" | "authorize" | "params" | "inventory" | "tenants" | "now"
  >;
}

/** Kinds that requests carry which connect to something, and what they connect to (core/v1, register.go). */
const connectKinds: ReadonlyMap<string, { readonly resource: string; readonly subresource: string }> =
  new Map([
    ["PodExecOptions", { resource: "pods", subresource: "exec" }],
    ["PodAttachOptions", { resource: "pods", subresource: "attach" }],
    ["PodPortForwardOptions", { resource: "pods", subresource: "portforward" }],
    ["PodProxyOptions", { resource: "pods", subresource: "proxy" }],
    ["ServiceProxyOptions", { resource: "services", subresource: "proxy" }],
    ["NodeProxyOptions", { resource: "nodes", subresource: "proxy" }],
  ]);

const ours: DefinedResources = new Map(
  kinds.map(({ group, kind, plural, scope }) => [
    `${group}/${kind}`,
    { plural, isNamespaced: scope === "Namespaced" },
  ]),
);

/**
 * Undefined where the object does not say what it is. `now` decides nothing here: no exception takes part.
 * `defaultNamespace`: where an object without a namespace goes.
 */
export function requestOf(
  test: PolicyTest,
  now: number,
  defaultNamespace = "default",
): TestRequest | undefined {
  const { operation, object, oldObject, subresource, username = DEFAULT_USERNAME } = test;
  const subject = operation === "DELETE" ? oldObject : object;
  const known = resourceOf(subject, ours);
  if (known === undefined) return undefined;
  const { group, version, kind } = known;
  const connected = operation === "CONNECT" ? connectKinds.get(kind) : undefined;
  const resource = { group, version, resource: connected?.resource ?? known.resource };
  const namespace = namespaceOf(subject, known, defaultNamespace);
  const request: AdmissionRequestLike = {
    uid: "",
    kind: { group, version, kind },
    requestKind: { group, version, kind },
    resource,
    requestResource: resource,
    subResource: subresource ?? connected?.subresource ?? "",
    name: nameOf(subject),
    namespace,
    operation,
    userInfo: { username, groups: ["system:authenticated"] },
    object: operation === "DELETE" ? null : object,
    oldObject: operation === "UPDATE" || operation === "DELETE" ? (oldObject ?? null) : null,
    dryRun: false,
    options: null,
  };
  const lookedAt = { params: paramsOf(test), inventory: inventoryOf(test) };
  return {
    request,
    context: { ...namespaceContext(test, namespace), ...lookedAt, tenants: lookedAt, now },
  };
}

function namespaceContext(
  { namespaceLabels = {} }: PolicyTest,
  name: string,
): Pick<TestRequest["context"], "namespaceLabels" | "namespaceObject" | "authorize"> {
  const labels = { ...namespaceLabels, "kubernetes.io/metadata.name": name };
  return {
    namespaceLabels: labels,
    namespaceObject: { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    authorize: () => undefined,
  };
}

/** What the case gives is what the reference finds, whatever it looks for. */
function paramsOf({ params }: PolicyTest): ParamLookup {
  const found = params === undefined ? [] : [params];
  return ({ namespace }) => ({
    state: "known",
    isNamespaced: namespace !== undefined,
    get: () => found[0],
    list: () => found,
  });
}

/** All kinds are known, and have the objects that the case gives. */
function inventoryOf({ inventory: objects = [] }: PolicyTest): InventoryAtHand {
  const inventory = new Inventory();
  for (const object of objects) inventory.put(object);
  return { documents: inventory.documents, problem: () => undefined };
}
