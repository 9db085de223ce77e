/** What a cluster would know, told from files alone. */
import { nameOf } from "../policy-set/exceptions.ts";
import { labelsOf } from "../policy-set/match.ts";
import type { EvaluationContext } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { Labels } from "../policy-set/selector.ts";
import { asDecoded } from "./as-decoded.ts";
import { type DefinedResources, namespaceOf, resourceOf } from "./resource-of.ts";

/** Labels by namespace: those of the Namespaces among `objects`, and `given` ones. */
export function labelsOfNamespaces(
  objects: readonly unknown[],
  given: Readonly<Record<string, Labels>> = {},
): Map<string, Labels> {
  const found = objects.filter(isNamespace);
  const defined = found.map((object): [string, Labels] => [nameOf(object), labelsOf(object) ?? {}]);
  return new Map([...Object.entries(given), ...defined]);
}

/** A namespace nobody described has no labels but its name, as if it were created with the objects. */
export function contextOf(
  { namespace = "" }: AdmissionRequestLike,
  namespaces: ReadonlyMap<string, Labels>,
  lookedAt: Pick<EvaluationContext, "params" | "inventory">,
  now: number,
): EvaluationContext {
  const namespaceLabels = namespaces.get(namespace) ?? {};
  const labels = { ...namespaceLabels, "kubernetes.io/metadata.name": namespace };
  const namespaceObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } };
  return {
    namespaceLabels,
    namespaceObject,
    authorize: () => undefined,
    ...lookedAt,
    tenants: lookedAt,
    now,
  };
}

/** Undefined for what does not say what it is. */
export function createRequest(
  object: unknown,
  defined: DefinedResources,
  defaultNamespace: string,
): AdmissionRequestLike | undefined {
  const known = resourceOf(object, defined);
  if (known === undefined) return undefined;
  const { group, version, kind, resource } = known;
  return {
    uid: "",
    kind: { group, version, kind },
    resource: { group, version, resource },
    name: nameOf(object),
    namespace: namespaceOf(object, known, defaultNamespace),
    operation: "CREATE",
    userInfo: {},
    object: asDecoded(object, group),
  };
}

export function isNamespace(object: unknown): boolean {
  if (typeof object !== "object" || object === null) return false;
  const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown };
  return apiVersion === "v1" && kind === "Namespace";
}
