import { isJsonObject, type JsonObject } from "./shape-reader.ts";
import { judgedAnnotationPrefixes } from "./unchanged.ts";
import { podCarrierOf } from "./workload.ts";

const specFields = [
  "hostNetwork",
  "hostPID",
  "hostIPC",
  "hostUsers",
  "os",
  "runtimeClassName",
  "securityContext",
] as const;
const containerLists = ["initContainers", "containers", "ephemeralContainers"] as const;
const probes = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const hooks = ["postStart", "preStop"] as const;
const handlers = ["httpGet", "tcpSocket"] as const;

/**
 * What the standards look at in a Pod or in an object that carries a template of one: a fraction of its bytes, judged
 * as the whole is, for whoever keeps many. Misshapen parts stay, so that they are found to be. Other objects come back
 * as they are; metadata but for annotations is the caller's.
 */
export function judgedParts<T>(object: T): T {
  const carrier = podCarrierOf(object);
  if (carrier === undefined || !isJsonObject(object)) return object;
  return along(object, carrier.path) as T;
}

/** Only what leads to the Pod, and what is judged of that. */
function along(object: JsonObject, path: readonly string[]): JsonObject {
  const [step, ...rest] = path;
  if (step === undefined) {
    const { apiVersion, kind } = object;
    return {
      ...(apiVersion === undefined ? {} : { apiVersion, kind }),
      ...only(object, "metadata", (metadata) => ({
        ...metadata,
        ...only(metadata, "annotations", judgedAnnotations),
      })),
      ...only(object, "spec", judgedSpec),
    };
  }
  const head = headOf(object);
  if (!Object.hasOwn(object, step)) return head;
  const below = object[step];
  return { ...head, [step]: isJsonObject(below) ? along(below, rest) : below };
}

/** Of an object its type and metadata; of a part of one nothing. */
function headOf({ apiVersion, kind, metadata }: JsonObject): JsonObject {
  return apiVersion === undefined
    ? {}
    : { apiVersion, kind, ...(metadata === undefined ? {} : { metadata }) };
}

function judgedAnnotations(annotations: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(annotations).filter(
      ([key, value]) =>
        typeof value !== "string" || judgedAnnotationPrefixes.some((prefix) => key.startsWith(prefix)),
    ),
  );
}

function judgedSpec(spec: JsonObject): JsonObject {
  const parts: Record<string, unknown> = {};
  for (const field of specFields) if (Object.hasOwn(spec, field)) parts[field] = spec[field];
  if (Object.hasOwn(spec, "volumes")) parts.volumes = each(spec.volumes, judgedVolume);
  for (const list of containerLists) {
    if (Object.hasOwn(spec, list)) parts[list] = each(spec[list], judgedContainer);
  }
  return parts;
}

/** Which sources a volume has, not what they say. */
function judgedVolume(volume: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(volume).map(([key, value]) => [key, key !== "name" && isJsonObject(value) ? {} : value]),
  );
}

function judgedContainer(container: JsonObject): JsonObject {
  const parts: Record<string, unknown> = {};
  if (Object.hasOwn(container, "name")) parts.name = container.name;
  if (Object.hasOwn(container, "securityContext")) parts.securityContext = container.securityContext;
  if (Object.hasOwn(container, "ports")) {
    parts.ports = each(container.ports, (port) => only(port, "hostPort", (value) => value));
  }
  for (const probe of probes) Object.assign(parts, only(container, probe, handlerHosts));
  Object.assign(
    parts,
    only(container, "lifecycle", (lifecycle) =>
      Object.assign({}, ...hooks.map((hook) => only(lifecycle, hook, handlerHosts))),
    ),
  );
  return parts;
}

function handlerHosts(handler: JsonObject): JsonObject {
  return Object.assign(
    {},
    ...handlers.map((kind) => only(handler, kind, (target) => only(target, "host", (host) => host))),
  );
}

/** The field alone, narrowed where it is an object; nothing where it is not set. */
function only(
  parent: JsonObject,
  field: string,
  narrow: (value: JsonObject) => JsonObject,
): Record<string, unknown> {
  if (!Object.hasOwn(parent, field)) return {};
  const value = parent[field];
  return { [field]: isJsonObject(value) ? narrow(value) : value };
}

function each(list: unknown, narrow: (item: JsonObject) => JsonObject): unknown {
  return Array.isArray(list) ? list.map((item) => (isJsonObject(item) ? narrow(item) : item)) : list;
}
