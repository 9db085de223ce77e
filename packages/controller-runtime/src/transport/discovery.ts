import { type ResourceType, resourceType } from "../kubernetes/resource-type.ts";
import { isNotFound } from "./api-error.ts";
import type { Client } from "./client.ts";

/** A resource by the names a rule has for it; `version` undefined: whichever the server prefers. */
export interface NamedResource {
  readonly group: string;
  readonly version: string | undefined;
  readonly plural: string;
}

/**
 * Looks up what kind a resource is of, by the API server's discovery documents (`/apis/<group>/<version>`).
 * @returns undefined where the server has no such resource, or none that can be listed and watched
 * @throws ApiError, TransportError
 */
export async function discoverResource(
  client: Client,
  { group, version, plural }: NamedResource,
  signal?: AbortSignal,
): Promise<ResourceType | undefined> {
  const served = version ?? (await preferredVersion(client, group, signal));
  if (served === undefined) return undefined;
  return await find(client, group, served, ({ name }) => name === plural, signal);
}

/**
 * Looks up under which resource objects of a kind are found, as {@link discoverResource} does the reverse.
 * @param apiVersion `v1` or `<group>/<version>`
 * @returns undefined where the server has no such kind, or none that can be listed and watched
 * @throws ApiError, TransportError
 */
export async function discoverKind(
  client: Client,
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  signal?: AbortSignal,
): Promise<ResourceType | undefined> {
  const [group = "", version = ""] = apiVersion.includes("/") ? apiVersion.split("/", 2) : ["", apiVersion];
  const isOfKind = (each: DiscoveredResource) => each.kind === kind && !each.name.includes("/");
  return await find(client, group, version, isOfKind, signal);
}

async function find(
  client: Client,
  group: string,
  version: string,
  isWanted: (resource: DiscoveredResource) => boolean,
  signal: AbortSignal | undefined,
): Promise<ResourceType | undefined> {
  // What comes from a policy must stay one segment each.
  if (![group, version].every((segment) => /^[a-z0-9.-]*$/.test(segment))) return undefined;
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const list = await document<{ resources?: readonly DiscoveredResource[] }>(client, path, signal);
  const found = list?.resources?.find(isWanted);
  if (found === undefined || !["list", "watch"].every((verb) => found.verbs?.includes(verb)))
    return undefined;
  const { kind, name: plural, namespaced } = found;
  return resourceType({ group, version, kind, plural, namespaced });
}

interface DiscoveredResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs?: readonly string[];
}

async function preferredVersion(
  client: Client,
  group: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (group === "") return "v1";
  const found = await document<{ preferredVersion?: { version?: string } }>(client, `/apis/${group}`, signal);
  return found?.preferredVersion?.version;
}

async function document<T>(
  client: Client,
  path: string,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  try {
    const { body } = await client.request("GET", path, signal === undefined ? {} : { signal });
    return JSON.parse(body) as T;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
