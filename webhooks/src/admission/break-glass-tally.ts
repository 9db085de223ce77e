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
  readonly #counts = new Map<string, LetThroughCount & { readonly atMs: number }>();

  /** @param process names this process, and no other, ever */
  constructor(process: string, now: () => number, onNews: () => void) {
    this.#process = process;
    this.#now = now;
    this.#onNews = onNews;
  }

  /** What another policy refuses, or what is only tried, has not passed. */
  letPass(request: AdmissionRequest, suspensions: readonly Suspension[]): void {
    if (request.dryRun === true || suspensions.length === 0) return;
    const atMs = this.#now();
    for (const { policy, glass } of suspensions) {
      const entry: LetThrough = { glass: glass.uid, policy, atMs, ...objectOf(request) };
      const { namespace, kind, name, uid, user, operation } = entry;
      const of = JSON.stringify([glass.uid, policy]);
      put(this.#requests, JSON.stringify([of, kind, namespace, uid || name, user, operation]), entry);
      const requests = (this.#counts.get(of)?.requests ?? 0) + 1;
      put(this.#counts, of, { glass: glass.uid, policy, requests, atMs });
      dropFirst(this.#requests, MAX_REPORTED_REQUESTS);
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
  // What is deleted has nothing else.
  const { metadata } = (request.object ?? request.oldObject ?? {}) as { metadata?: Record<string, unknown> };
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return {
    operation,
    apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    namespace,
    // The API server makes up a name before it asks who judges; who changes sees none yet.
    name: text(request.name) || text(metadata?.name) || `${text(metadata?.generateName)}*`,
    uid: text(metadata?.uid),
    user: userInfo.username ?? "",
  };
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
