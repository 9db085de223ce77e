import {
  ApiError,
  type Client,
  discoverResource,
  findMissingRights,
  groupResourceOf,
  type NamedResource,
  type ResourceType,
  TransportError,
} from "@shieldx/controller-runtime";
import { namespaceOfPolicy } from "@shieldx/crds";
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
  /** Kinds found, by policy. */
  readonly ofPolicy: ReadonlyMap<string, readonly ResourceType[]>;
  /** Policies of which a part cannot be audited, and why. */
  readonly refused: ReadonlyMap<string, StandingRefusal>;
}

/** Each is a watch: kinds that the policies of one namespace may have audited, and those of all namespaces together. */
const MOST_KINDS_OF_TENANT = 4;
const MOST_KINDS_OF_TENANTS = 128;

/** Resources that rules name. Subresources are no objects that exist, and wildcards name nothing. */
export function namedResources({ resourceRules }: NamingPolicy): NamedResource[] {
  const named = new Map<string, NamedResource>();
  for (const { apiGroups, apiVersions, resources } of resourceRules) {
    const [version] = apiVersions.filter((each) => each !== "*");
    for (const group of apiGroups) {
      for (const resource of resources) {
        if (group === "*" || /[*/]/.test(resource) || isLeftAlone(group, resource, "", undefined)) continue;
        const key = `${group}/${resource}`;
        if (!named.has(key)) named.set(key, { group, version, plural: resource });
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

/** Finds the kinds behind the resources that policies name, and whether ShieldX may read them. */
export class NamedKindsFinder {
  readonly #client: Client;
  readonly #namespace: string;

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** Asks about each resource once. What cannot be found out now concerns only the policies that name it. */
  async find(policies: readonly NamingPolicy[], signal: AbortSignal): Promise<NamedKinds> {
    const answers = new Map<string, Promise<ResourceType | StandingRefusal>>();
    const ask = (resource: NamedResource): Promise<ResourceType | StandingRefusal> => {
      const key = `${resource.group}/${resource.version ?? ""}/${resource.plural}`;
      const asked = answers.get(key) ?? this.#look(resource, signal);
      answers.set(key, asked);
      return asked;
    };
    const kindsKept = new KeptKinds();
    const refused = new Map<string, StandingRefusal>();
    const ofPolicy = new Map<string, readonly ResourceType[]>();
    const bound = new TenantBound();
    for (const policy of policies) {
      const all = namedResources(policy);
      const resources = all.filter((resource) => bound.takes(policy.name, resource));
      if (resources.length < all.length) refused.set(policy.name, notAudited(TOO_MANY));
      const found: ResourceType[] = [];
      if (hasWildcard(policy) || all.length === 0)
        refused.set(policy.name, notAudited("name groups and resources, without * and subresources"));
      for (const resource of resources) {
        const answer = await ask(resource);
        if ("isPassing" in answer) {
          refused.set(policy.name, answer);
          continue;
        }
        const kept = kindsKept.keep(policy.name, answer);
        found.push(kept);
        if (kept.version !== answer.version) {
          const other = `${groupResourceOf(answer)} are audited in version ${kept.version}, which another policy names`;
          refused.set(policy.name, notAudited(`${other}: name that version too`));
        }
      }
      ofPolicy.set(policy.name, found);
    }
    return { ofPolicy, refused };
  }

  async #look(resource: NamedResource, signal: AbortSignal): Promise<ResourceType | StandingRefusal> {
    const { group, plural } = resource;
    const name = `${plural}${group === "" ? "" : `.${group}`}`;
    try {
      const type = await discoverResource(this.#client, resource, signal);
      if (type === undefined) return notAudited(`the API server has no ${name} that can be listed`);
      const needed = { apiGroups: [group], resources: [plural], verbs: ["list", "watch"] };
      const needs = { cluster: [needed], namespace: [] };
      const missing = await findMissingRights(this.#client, needs, this.#namespace, signal);
      if (missing.length === 0) return type;
      return notAudited(
        `ShieldX may not read ${name}: set rbac.auditedKinds of the chart, or grant list and watch on them to the ServiceAccount shieldx-operator`,
      );
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof TransportError)) throw error;
      return notAudited(`${name} could not be looked up: ${error.message}`);
    }
  }
}

/** One form of each kind is kept; whoever names another is told. A tenant's choice is nothing to other namespaces. */
class KeptKinds {
  readonly #ofCluster = new Map<string, ResourceType>();
  readonly #ofTenants = new Map<string, ResourceType>();

  keep(policy: string, type: ResourceType): ResourceType {
    const resource = groupResourceOf(type);
    const namespace = namespaceOfPolicy(policy);
    const [kinds, key] =
      namespace === undefined ? [this.#ofCluster, resource] : [this.#ofTenants, `${namespace} ${resource}`];
    const kept = this.#ofCluster.get(resource) ?? kinds.get(key) ?? type;
    kinds.set(key, kept);
    return kept;
  }
}

const TOO_MANY = `objects that exist are held against policies of ${MOST_KINDS_OF_TENANT} kinds in one namespace, and of ${MOST_KINDS_OF_TENANTS} in all together: name fewer kinds in policies with actions.background: audit`;

/** Takes kinds that tenants name as long as there are not too many. */
class TenantBound {
  readonly #taken = new Map<string, Set<string>>();
  #count = 0;

  takes(policy: string, { group, plural }: NamedResource): boolean {
    const namespace = namespaceOfPolicy(policy);
    if (namespace === undefined) return true;
    const taken = this.#taken.get(namespace) ?? new Set<string>();
    this.#taken.set(namespace, taken);
    const resource = `${group}/${plural}`;
    if (taken.has(resource)) return true;
    if (taken.size >= MOST_KINDS_OF_TENANT || this.#count >= MOST_KINDS_OF_TENANTS) return false;
    taken.add(resource);
    this.#count++;
    return true;
  }
}

function notAudited(message: string): StandingRefusal {
  return {
    reason: "NotAudited",
    message: `spec.matchConstraints.resourceRules: ${message}`,
    isPassing: false,
  };
}
