import type { ObjectName } from "@shieldx/policy-engine";
import type { Manifest } from "../manifests/read.ts";

export interface ObjectPlace {
  readonly file: string;
  readonly line: number;
}

/** Where the object of a name was read; undefined for what came from elsewhere. */
export type Places = (name: ObjectName) => ObjectPlace | undefined;

export function placesOf(manifests: readonly Manifest[]): Places {
  const places = new Map<string, ObjectPlace>();
  for (const { file, line, object } of manifests) {
    const metadata = (object.metadata ?? {}) as { name?: unknown; namespace?: unknown };
    const key = keyOf(object.apiVersion, object.kind, metadata.namespace, metadata.name ?? "");
    if (!places.has(key)) places.set(key, { file, line });
  }
  return ({ apiVersion, kind, namespace, name }) => places.get(keyOf(apiVersion, kind, namespace, name));
}

function keyOf(...parts: readonly unknown[]): string {
  return JSON.stringify(parts.map((part) => part ?? null));
}

export function inWords({ kind, namespace, name }: ObjectName): string {
  const whole = namespace === undefined ? name : `${namespace}/${name}`;
  return whole === "" ? kind : `${kind} ${whole}`;
}
