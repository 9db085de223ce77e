/** What the JavaScript contestants share: time, reports, commands. See ../README.md. */
import { createInterface } from "node:readline";

export const settings = {
  scenario: process.env.BENCH_SCENARIO,
  kind: process.env.BENCH_KIND ?? "",
  plural: process.env.BENCH_PLURAL ?? "",
  objects: Number(process.env.BENCH_OBJECTS ?? 0),
  keys: Number(process.env.BENCH_KEYS ?? 0),
  workers: Number(process.env.BENCH_WORKERS ?? 1),
  requests: Number(process.env.BENCH_REQUESTS ?? 0),
  width: Number(process.env.BENCH_WIDTH ?? 1),
};

export function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function report(event, fields) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

/** FNV-1a with 32 bits; the contestants' sums over all objects must agree. */
function fingerprint(text) {
  let hash = 2166136261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  return hash >>> 0;
}

/** Counts the first reconcile of each object, then remembers when each of the later ones began. */
export class Follower {
  #seen = new Set();
  #sum = 0;
  #starts;

  constructor() {
    createInterface({ input: process.stdin }).on("line", (line) => {
      if (line === "heap") this.#heap();
      if (line === "starts") this.#report();
    });
  }

  reconcile(object, at) {
    const { uid, resourceVersion } = object.metadata;
    if (this.#starts !== undefined) {
      this.#starts.push([uid, resourceVersion, at]);
      return;
    }
    this.#seen.add(uid);
    this.#sum = (this.#sum + fingerprint(`${uid} ${resourceVersion}`)) >>> 0;
    if (this.#seen.size === settings.objects) this.done();
  }

  /** All objects were reconciled once. */
  done() {
    report("reconciled", { at: monotonicMs(), objects: this.#seen.size, sum: this.#sum });
    this.#seen = undefined;
    this.#starts = [];
  }

  #report() {
    report("starts", { starts: this.#starts });
    this.#starts = [];
  }

  #heap() {
    for (let turn = 0; turn < 4; turn++) globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    report("heap", { bytes: heapUsed + external });
  }
}

/** Calls `once` `settings.requests` times, `settings.width` at a time, after as many calls to warm up as are in flight. */
export async function measureRequests(once) {
  const inFlight = async (count) => {
    let left = count;
    const lane = async () => {
      while (left-- > 0) await once();
    };
    await Promise.all(Array.from({ length: settings.width }, lane));
  };
  await inFlight(settings.width * 20);
  const began = monotonicMs();
  await inFlight(settings.requests);
  report("requests", { ms: monotonicMs() - began, requests: settings.requests });
}
