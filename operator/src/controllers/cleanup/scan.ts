import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Client,
  type KubeObject,
  keyOf,
  type ObjectMeta,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { type CleanupVerdict, type CompiledCleanup, threadCpuNow } from "@shieldx/policy-engine";
import { isLeftAloneNamespace } from "../../namespaces.ts";
import { isKept } from "./kept.ts";
import { LongestDue } from "./longest-due.ts";

/** Time of the processor for the expressions on one object. */
const LONGEST_EVALUATION_MS = 32;
/** Objects after which others get a turn. */
const OBJECTS_PER_TURN = 100;

export interface DueObject {
  readonly type: ResourceType;
  readonly metadata: ObjectMeta;
  /** Since when, ms since the epoch. */
  readonly sinceMs: number;
}

export interface Scan {
  readonly checked: number;
  readonly errors: number;
  readonly firstError: string | undefined;
  readonly due: LongestDue<DueObject>;
}

export interface ScanParts {
  readonly client: Client;
  readonly types: readonly ResourceType[];
  readonly cleanup: CompiledCleanup;
  readonly namespace: (name: string) => KubeObject | undefined;
  readonly ownNamespaces: readonly string[];
  /** By the API server's clock. */
  readonly nowMs: number;
  /** How many of those due to remember. */
  readonly most: number;
  readonly signal: AbortSignal;
}

/**
 * Goes through all objects of the kinds, a page at a time, and remembers those that are due longest.
 * @throws ApiError, TransportError
 */
export async function scan(parts: ScanParts): Promise<Scan> {
  const { client, types, cleanup, signal } = parts;
  const tally = new Tally(parts.most);
  const options = { signal, ...(cleanup.readsObjects ? {} : { metadataOnly: true }) };
  for (const type of types) {
    for await (const page of client.pages(type, options)) {
      for (const [at, object] of page.entries()) {
        if (at % OBJECTS_PER_TURN === 0) await nextTurn();
        const verdict = judge(type, object, parts);
        if (verdict !== undefined) tally.take(type, object, verdict);
      }
    }
  }
  return tally;
}

class Tally implements Scan {
  checked = 0;
  errors = 0;
  firstError: string | undefined;
  readonly due: LongestDue<DueObject>;

  constructor(most: number) {
    this.due = new LongestDue(most);
  }

  take(type: ResourceType, object: KubeObject, verdict: CleanupVerdict): void {
    this.checked++;
    if (verdict.kind === "due")
      this.due.offer({ type, metadata: slim(object.metadata), sinceMs: verdict.sinceMs });
    if (verdict.kind !== "error") return;
    this.errors++;
    this.firstError ??= `${type.kind} ${keyOf(object)}: ${verdict.message}`;
  }
}

/** undefined: it is not a ShieldCleanup's to look at. */
function judge(type: ResourceType, object: KubeObject, parts: ScanParts): CleanupVerdict | undefined {
  const { metadata } = object;
  const isNamespace = type.group === "" && type.kind === "Namespace";
  const where = isNamespace ? metadata.name : metadata.namespace;
  if (where !== undefined && isLeftAloneNamespace(where, parts.ownNamespaces)) return undefined;
  if (isNamespace && metadata.name === "default") return undefined;
  if (metadata.deletionTimestamp !== undefined || isKept(metadata)) return undefined;
  const namespace = isNamespace ? object : where === undefined ? undefined : parts.namespace(where);
  // One that the cache does not show yet could not be selected by its labels.
  if (where !== undefined && namespace === undefined) return undefined;
  const until = threadCpuNow() + LONGEST_EVALUATION_MS;
  return parts.cleanup.judge(object, namespace, parts.nowMs, () => threadCpuNow() > until);
}

function slim({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
