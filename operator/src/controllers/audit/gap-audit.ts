import type { ResourceType } from "@shieldx/controller-runtime";
import {
  type Client,
  type KubeObject,
  type ManagedFieldsEntry,
  resourceTypeKey,
} from "@shieldx/controller-runtime";
import { FirstItems } from "../../first.ts";
import type { AuditedObject } from "./audited-object.ts";

/** An object that breaks the policy and was written at a time in question. */
export interface WrittenObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly writtenMs: number;
  /** Field manager of that write. */
  readonly manager: string | undefined;
  readonly isNew: boolean;
}

/** What the background audit knows of a time in which a policy was not enforced. */
export interface AuditOfGap {
  /** Offenders that were written in it. */
  readonly found: number;
  /** The latest of them. */
  readonly objects: readonly WrittenObject[];
  /** uids of all that break the policy now. */
  readonly violating: ReadonlySet<string>;
}

/** Objects that are named; the rest is counted. */
const MOST_NAMED = 20;
/** Timestamps have whole seconds, cut off. */
const SECOND_MS = 1_000;

/**
 * Finds, of objects that break a policy, those that were written between two moments: by their creationTimestamp and the times
 * of their managedFields, read for all of a kind at once, a page at a time and without what they hold.
 * @throws ApiError, TransportError
 */
export async function writtenBetween(
  client: Pick<Client, "pages">,
  offenders: readonly { readonly type: ResourceType; readonly object: AuditedObject }[],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  signal: AbortSignal,
): Promise<AuditOfGap> {
  const types = new Map(offenders.map(({ type }) => [resourceTypeKey(type), type]));
  const byUid = new Map(offenders.map(({ object }) => [object.uid, object]));
  const latest = new FirstItems<WrittenObject>(MOST_NAMED, (a, b) => b.writtenMs - a.writtenMs);
  let found = 0;
  for (const type of types.values()) {
    for await (const page of client.pages(type, { metadataOnly: true, signal })) {
      for (const { metadata } of page) {
        const object = byUid.get(metadata.uid ?? "");
        const write = object && lastWrite(metadata, fromMs - SECOND_MS, untilMs + SECOND_MS);
        if (object === undefined || write === undefined) continue;
        found++;
        const { apiVersion, kind, namespace, name, uid } = object;
        latest.offer({ apiVersion, kind, namespace, name, uid, ...write });
      }
    }
  }
  return { found, objects: latest.items, violating: new Set(byUid.keys()) };
}

/** The last write of the object itself, its status apart, in that time; undefined without. */
export function lastWrite(
  { creationTimestamp, managedFields = [] }: KubeObject["metadata"],
  fromMs: number,
  untilMs: number,
): Pick<WrittenObject, "writtenMs" | "manager" | "isNew"> | undefined {
  const isWithin = (ms: number): boolean => ms >= fromMs && ms <= untilMs;
  const createdMs = Date.parse(creationTimestamp ?? "");
  const timeOf = ({ time }: ManagedFieldsEntry): number => Date.parse(time ?? "");
  const writes = managedFields
    .filter((entry) => (entry.subresource ?? "") === "" && isWithin(timeOf(entry)))
    .sort((a, b) => timeOf(b) - timeOf(a));
  const [last] = writes;
  if (last === undefined)
    return isWithin(createdMs) ? { writtenMs: createdMs, manager: undefined, isNew: true } : undefined;
  return { writtenMs: timeOf(last), manager: last.manager, isNew: isWithin(createdMs) };
}
