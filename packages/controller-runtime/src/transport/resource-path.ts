import type { ObjectKey } from "../kubernetes/objects.ts";
import { groupResourceOf, type ResourceType } from "../kubernetes/resource-type.ts";
import type { RequestDescription } from "./api-error.ts";

/** Query parameters; `undefined` and empty ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `/apis/apps/v1/namespaces/default/deployments`, or `/api/v1/...` for the core group. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  return namespace === undefined || namespace === "" || !type.namespaced
    ? `${root}/${type.plural}`
    : `${root}/namespaces/${segment(namespace)}/${type.plural}`;
}

/**
 * Path of one object or of a subresource of it.
 * @throws TypeError when a namespaced type comes without a namespace, or the name is empty: both would
 *   silently address a collection.
 */
export function objectPath(type: ResourceType, key: ObjectKey, subresource?: string): string {
  if (key.name === "") throw new TypeError(`${groupResourceOf(type)}: the name is empty`);
  if (type.namespaced && (key.namespace === undefined || key.namespace === "")) {
    throw new TypeError(
      `${groupResourceOf(type)} "${key.name}": the namespace is missing; ${type.kind} is namespaced`,
    );
  }
  const path = `${collectionPath(type, key.namespace)}/${segment(key.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Appends the query to the path. */
export function withQuery(path: string, query: Query | undefined): string {
  if (query === undefined) return path;
  let text = "";
  for (const name in query) {
    const value = query[name];
    if (value === undefined || value === "") continue;
    text += `${text === "" ? "?" : "&"}${name}=${encodeURIComponent(value)}`;
  }
  return path + text;
}

/** What the request is about, for messages. */
export function describe(
  verb: string,
  type: ResourceType,
  key: Partial<ObjectKey>,
  subresource?: string,
): RequestDescription {
  const resource = groupResourceOf(type);
  const description: RequestDescription = {
    verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
  };
  if (key.name !== undefined) description.name = key.name;
  if (key.namespace !== undefined && type.namespaced) description.namespace = key.namespace;
  return description;
}

/** A path segment; `.` and `..` would be resolved away by URL parsing and name something else. */
function segment(name: string): string {
  if (name === "." || name === ".." || name.includes("/")) {
    throw new TypeError(`"${name}" cannot be the name of a Kubernetes object`);
  }
  return encodeURIComponent(name);
}
