/** Which resource an object in a file is, without an API server to ask. */
import { clusterScopedKinds } from "../policy-set/cluster-scoped.ts";
import { metadataOf } from "../policy-set/match.ts";
import type { GroupVersionResource } from "../policy-set/request.ts";

export interface KnownResource extends GroupVersionResource {
  readonly kind: string;
  readonly isNamespaced: boolean;
}

/** Resources that CustomResourceDefinitions among the objects define, by `group/kind`. */
export type DefinedResources = ReadonlyMap<
  string,
  { readonly plural: string; readonly isNamespaced: boolean }
>;

export function definedResources(objects: readonly unknown[]): DefinedResources {
  const defined = new Map<string, { plural: string; isNamespaced: boolean }>();
  for (const object of objects) {
    const { kind, spec } = (object ?? {}) as {
      kind?: unknown;
      spec?: { group?: unknown; scope?: unknown; names?: { kind?: unknown; plural?: unknown } };
    };
    if (kind !== "CustomResourceDefinition" || typeof spec !== "object" || spec === null) continue;
    const { kind: defines, plural } = spec.names ?? {};
    if (typeof plural !== "string") continue;
    defined.set(`${String(spec.group)}/${String(defines)}`, {
      plural,
      isNamespaced: spec.scope !== "Cluster",
    });
  }
  return defined;
}

/** Undefined for what has no apiVersion and kind. */
export function resourceOf(object: unknown, defined: DefinedResources): KnownResource | undefined {
  if (typeof object !== "object" || object === null) return undefined;
  const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown };
  if (typeof apiVersion !== "string" || typeof kind !== "string" || kind === "") return undefined;
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const known = defined.get(`${group}/${kind}`);
  return {
    group,
    version: apiVersion.slice(slash + 1),
    kind,
    resource: known?.plural ?? pluralOf(kind),
    isNamespaced: known?.isNamespaced ?? !clusterScopedKinds.has(kind),
  };
}

/** English plurals, as kinds are mostly named; right for all built-in kinds. */
export function pluralOf(kind: string): string {
  const singular = kind.toLowerCase();
  if (singular === "endpoints") return singular;
  if (/(?:s|x|z|ch|sh)$/.test(singular)) return `${singular}es`;
  if (/[^aeiou]y$/.test(singular)) return `${singular.slice(0, -1)}ies`;
  return `${singular}s`;
}

/** The namespace a request about it carries; a Namespace's own is its name. */
export function namespaceOf(object: unknown, known: KnownResource, defaultNamespace: string): string {
  const metadata = metadataOf(object);
  if (known.kind === "Namespace" && known.group === "")
    return typeof metadata?.name === "string" ? metadata.name : "";
  if (!known.isNamespaced) return "";
  const namespace = metadata?.namespace;
  return typeof namespace === "string" && namespace !== "" ? namespace : defaultNamespace;
}
