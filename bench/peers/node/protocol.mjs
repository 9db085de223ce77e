/** What the JavaScript contestants share: time, reports, commands. See ../README.md. */
import { createInterface } from "node:readline";

export const settings = {
  scenario: process.env.BENCH_SCENARIO,
  kind: process.env.BENCH_KIND ?? "",
  plural: process.env.BENCH_PLURAL ?? "",
  objects: Number(process.env.BENCH_OBJECTS ?? 0),
  keys: Number(process.env.BENCH_KEYS ?? 0),
  workers: Number(process.env.BENCH_WORKERS ?? 1),
  seconds: Number(process.env.BENCH_SECONDS ?? 0),
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

/** Calls `once` for `settings.seconds`, `settings.width` at a time, after a quarter of that to warm up. */
export async function measureRequests(once) {
  const inFlight = async (seconds) => {
    const began = monotonicMs();
    let requests = 0;
    const lane = async () => {
      while (monotonicMs() < began + seconds * 1000) {
        await once();
        requests++;
      }
    };
    await Promise.all(Array.from({ length: settings.width }, lane));
    return { ms: monotonicMs() - began, requests };
  };
  await inFlight(settings.seconds / 4);
  report("requests", await inFlight(settings.seconds));
}
