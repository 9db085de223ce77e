import {
  formatBreakGlassReports,
  type LetThrough,
  type LetThroughCount,
  MAX_REPORTED_COUNTS,
  MAX_REPORTED_REQUESTS,
} from "@shieldx/crds";
import type { AdmissionRequest } from "../server/admission-review.ts";
import type { Suspension } from "./break-glass.ts";

/** What is older was taken over by the operator long ago, or nobody is there to. */
const keptMs = 24 * 3_600_000;

/** From the review of who changes to that of who judges: the API server gives each at most thirty seconds. */
const sameRequestMs = 30_000;

interface Unchanged {
  /** As which it is listed. */
  readonly key: string;
  readonly times: number;
  readonly atMs: number;
}

/**
 * What this process let pass because a ShieldBreakGlass was open: who wrote what, and when. It goes with the replica's
 * Lease; that one is listed there as open says that this replica goes by it.
 */
export class BreakGlassTally {
  readonly #process: string;
  readonly #now: () => number;
  readonly #onNews: () => void;
  /** By all that tells one from another; the latest last. */
  readonly #requests = new Map<string, LetThrough>();
  /** Counted before it was judged, by what it is about. */
  readonly #unchanged = new Map<string, Unchanged>();
  readonly #counts = new Map<string, LetThroughCount & { readonly atMs: number }>();

  /** @param process names this process, and no other, ever */
  constructor(process: string, now: () => number, onNews: () => void) {
    this.#process = process;
    this.#now = now;
    this.#onNews = onNews;
  }

  /** What another policy of the same call refuses, or what is only tried, has not passed. */
  letPass(request: AdmissionRequest, suspensions: readonly Suspension[]): void {
    this.#note(request, suspensions, false);
  }

  /** As {@link letPass}, of what could not be changed: who judges may be asked about the same request next. */
  letPassUnchanged(request: AdmissionRequest, suspensions: readonly Suspension[]): void {
    this.#note(request, suspensions, true);
  }

  #note(request: AdmissionRequest, suspensions: readonly Suspension[], isUnchanged: boolean): void {
    if (request.dryRun === true || suspensions.length === 0) return;
    const atMs = this.#now();
    for (const { policy, glass } of suspensions) {
      const entry: LetThrough = { glass: glass.uid, policy, atMs, ...objectOf(request) };
      const { namespace, kind, name, uid, user, operation } = entry;
      const of = JSON.stringify([glass.uid, policy]);
      const key = JSON.stringify([of, kind, namespace, uid || name, user, operation]);
      // Reviews of one request have nothing in common but what they are about.
      const about = JSON.stringify([of, kind, namespace, prefixOf(request) || name, user, operation]);
      const last = this.#unchanged.get(about);
      const before = last !== undefined && atMs - last.atMs < sameRequestMs ? last : undefined;
      let requests = (this.#counts.get(of)?.requests ?? 0) + 1;
      if (isUnchanged) put(this.#unchanged, about, { key, times: (before?.times ?? 0) + 1, atMs });
      else if (before !== undefined) {
        requests = Math.max(1, requests - before.times);
        this.#requests.delete(before.key);
        this.#unchanged.delete(about);
      }
      put(this.#requests, key, entry);
      put(this.#counts, of, { glass: glass.uid, policy, requests, atMs });
      dropFirst(this.#requests, MAX_REPORTED_REQUESTS);
      dropFirst(this.#unchanged, MAX_REPORTED_REQUESTS);
      dropFirst(this.#counts, MAX_REPORTED_COUNTS);
    }
    this.#onNews();
  }

  /**
   * As the annotation of the Lease; undefined where nothing is open and nothing passed.
   * @param open uids of the ShieldBreakGlasses that are open here
   */
  report(open: readonly string[]): string | undefined {
    const since = this.#now() - keptMs;
    for (const map of [this.#requests, this.#counts])
      for (const [key, { atMs }] of map) if (atMs < since) map.delete(key);
    return formatBreakGlassReports({
      process: this.#process,
      open: [...open].sort(),
      counts: [...this.#counts.values()],
      requests: [...this.#requests.values()],
    });
  }
}

function objectOf(request: AdmissionRequest): Omit<LetThrough, "glass" | "policy" | "atMs"> {
  const { kind, namespace = "", operation, userInfo } = request;
  const metadata = metadataOf(request);
  return {
    operation,
    apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    namespace,
    // The API server makes up a name before it asks who judges; who changes sees none yet.
    name: text(request.name) || text(metadata?.name) || prefixOf(request) || "*",
    uid: text(metadata?.uid),
    user: userInfo.username ?? "",
  };
}

/** Empty where its creator gave it a name. */
function prefixOf(request: AdmissionRequest): string {
  const prefix = request.operation === "CREATE" ? text(metadataOf(request)?.generateName) : "";
  return prefix === "" ? "" : `${prefix}*`;
}

function metadataOf({ object, oldObject }: AdmissionRequest): Record<string, unknown> | undefined {
  // What is deleted has nothing else.
  return ((object ?? oldObject ?? {}) as { metadata?: Record<string, unknown> }).metadata;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** As the latest. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
}

function dropFirst(map: Map<string, unknown>, most: number): void {
  const [first] = map.keys();
  if (map.size > most && first !== undefined) map.delete(first);
}
