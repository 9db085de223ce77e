import {
  type Client,
  discoverResource,
  findMissingRights,
  groupResourceOf,
  type NamedResource,
  type ResourceType,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { isLeftAlone } from "@shieldx/policy-engine";
import type { StandingRefusal } from "../../obstacles.ts";

/** A policy whose rules name the resources it is about. */
export interface NamingPolicy {
  readonly name: string;
  readonly resourceRules: readonly {
    readonly apiGroups: readonly string[];
    readonly apiVersions: readonly string[];
    readonly resources: readonly string[];
  }[];
}

export interface NamedKinds {
  /** Kinds found, each once. */
  readonly types: readonly ResourceType[];
  /** Policies of which a part cannot be audited, and why. */
  readonly refused: ReadonlyMap<string, StandingRefusal>;
}

/** Resources that rules name; a subresource stands for the object it belongs to. Wildcards name nothing. */
export function namedResources({ resourceRules }: NamingPolicy): NamedResource[] {
  const named = new Map<string, NamedResource>();
  for (const { apiGroups, apiVersions, resources } of resourceRules) {
    const [version] = apiVersions.filter((each) => each !== "*");
    for (const group of apiGroups) {
      for (const resource of resources) {
        const plural = resource.split("/")[0] ?? "";
        if (group === "*" || plural.includes("*") || isLeftAlone(group, plural, "", undefined)) continue;
        const key = `${group}/${plural}`;
        if (!named.has(key)) named.set(key, { group, version, plural });
      }
    }
  }
  return [...named.values()];
}

/** Whether a rule reaches what it does not name, so that an audit would have to read the whole cluster. */
export function hasWildcard({ resourceRules }: NamingPolicy): boolean {
  return resourceRules.some(
    ({ apiGroups, resources }) =>
      apiGroups.includes("*") || resources.some((resource) => resource.startsWith("*")),
  );
}

/**
 * Finds the kinds behind the resources that policies name, and whether ShieldX may read them. What was found stays; what
 * was not is looked for again at each call, for a CustomResourceDefinition or a right may come later.
 */
export class NamedKindsFinder {
  readonly #client: Client;
  readonly #namespace: string;
  readonly #found = new Map<string, ResourceType>();

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** @throws ApiError, TransportError when the API server cannot be asked */
  async find(policies: readonly NamingPolicy[], signal: AbortSignal): Promise<NamedKinds> {
    const types = new Map<string, ResourceType>();
    const refused = new Map<string, StandingRefusal>();
    for (const policy of policies) {
      if (hasWildcard(policy))
        refused.set(policy.name, notAudited("rules with * are not audited: name groups and resources"));
      for (const resource of namedResources(policy)) {
        const type = await this.#look(resource, signal);
        if (typeof type === "string") refused.set(policy.name, notAudited(type));
        else types.set(resourceTypeKey(type), type);
      }
    }
    return { types: [...types.values()], refused };
  }

  async #look(resource: NamedResource, signal: AbortSignal): Promise<ResourceType | string> {
    const key = `${resource.group}/${resource.version ?? ""}/${resource.plural}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const type = await discoverResource(this.#client, resource, signal);
    const { group, plural } = resource;
    if (type === undefined)
      return `the API server has no ${plural}${group === "" ? "" : `.${group}`} that can be listed`;
    const needed = { apiGroups: [group], resources: [plural], verbs: ["list", "watch"] };
    const missing = await findMissingRights(
      this.#client,
      { cluster: [needed], namespace: [] },
      this.#namespace,
      signal,
    );
    if (missing.length > 0)
      return `ShieldX may not read ${groupResourceOf(type)}: set rbac.auditedKinds of the chart, or grant list and watch on them to the ServiceAccount shieldx-operator`;
    this.#found.set(key, type);
    return type;
  }
}

function notAudited(message: string): StandingRefusal {
  return {
    reason: "NotAudited",
    message: `spec.matchConstraints.resourceRules: ${message}`,
    isPassing: false,
  };
}
