// A steady stream of admission requests through the API servers, each with a known right answer.
import { setTimeout as delay } from "node:timers/promises";
import { ApiError, type Client, type KubeObject, Pod } from "@shieldx/controller-runtime";
import type { Manifest } from "./objects.ts";

export interface AdmissionLoadOptions {
  /** Asked in turn, e.g. one for each API server. */
  readonly clients: readonly Client[];
  readonly perSecond: number;
  /** A Pod that must be admitted. */
  readonly good: Manifest;
  /** A Pod that must be refused. */
  readonly bad: Manifest;
  /** What every refusal has to say; or why it is not the right one, undefined when it is. `sentAtMs`: by `performance.now`. */
  readonly refusal: string | ((message: string, sentAtMs: number) => string | undefined);
  /** A request that has no answer after this long has failed. */
  readonly timeoutMs?: number;
}

export interface LoadReport {
  readonly requests: number;
  readonly admitted: number;
  readonly refused: number;
  /** Requests whose answer was not the right one. */
  readonly failures: number;
  /** The first few of them, for people. */
  readonly unexpected: readonly string[];
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
}

export interface AdmissionLoad {
  readonly soFar: Readonly<{ requests: number; failures: number; unexpected: readonly string[] }>;
  /** Ends it, waits for what is under way and tells how it went. */
  stop(): Promise<LoadReport>;
}

const shownFailures = 20;

/**
 * Sends dry-run creates at a fixed rate whatever the answers take (an open loop, so that a stall shows as waiting
 * requests, not as fewer of them): half good, half bad, evenly over the clients.
 */
export function startAdmissionLoad(options: AdmissionLoadOptions): AdmissionLoad {
  const { clients, perSecond, timeoutMs = 15_000 } = options;
  const counts = { requests: 0, admitted: 0, refused: 0, failures: 0 };
  const unexpected: string[] = [];
  const tookMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  const began = performance.now();
  let isStopped = false;

  const fail = (index: number, what: string): void => {
    counts.failures += 1;
    if (unexpected.length < shownFailures) unexpected.push(`request ${index}: ${what}`);
  };

  function wrongRefusal(error: unknown, sentAtMs: number): string | undefined {
    if (!(error instanceof ApiError) || (error.code !== 403 && error.code !== 422)) return String(error);
    if (typeof options.refusal === "function") return options.refusal(error.message, sentAtMs);
    return error.code === 403 && error.message.includes(options.refusal) ? undefined : String(error);
  }

  async function ask(index: number): Promise<void> {
    const client = clients[index % clients.length];
    if (client === undefined) throw new Error("a load needs at least one client");
    const mustPass = Math.floor(index / clients.length) % 2 === 0;
    const sent = performance.now();
    try {
      const object = mustPass ? options.good : options.bad;
      await client.create(Pod, object as KubeObject, { dryRun: true, retries: 0, timeoutMs });
      if (mustPass) counts.admitted += 1;
      else fail(index, `${client.server} admitted the bad Pod`);
    } catch (error) {
      const wrong = wrongRefusal(error, sent);
      if (!mustPass && wrong === undefined) counts.refused += 1;
      else fail(index, `${client.server}, ${mustPass ? "good" : "bad"} Pod: ${wrong ?? String(error)}`);
    } finally {
      tookMs.push(performance.now() - sent);
    }
  }

  async function send(): Promise<void> {
    while (!isStopped) {
      const index = counts.requests;
      const waitMs = began + (index * 1000) / perSecond - performance.now();
      if (waitMs > 1) {
        await delay(waitMs);
        continue;
      }
      counts.requests += 1;
      const request = ask(index).finally(() => underWay.delete(request));
      underWay.add(request);
    }
  }

  const sending = send();
  return {
    get soFar() {
      return { requests: counts.requests, failures: counts.failures, unexpected };
    },
    async stop() {
      isStopped = true;
      await sending;
      const seconds = (performance.now() - began) / 1000;
      await Promise.all(underWay);
      const { p50, p99, max } = percentiles(tookMs);
      return {
        ...counts,
        unexpected,
        perSecond: counts.requests / seconds,
        p50Ms: p50,
        p99Ms: p99,
        slowestMs: max,
      };
    },
  };
}

/** Median, 99th percentile (nearest rank) and maximum; NaN for no values. */
export function percentiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}
