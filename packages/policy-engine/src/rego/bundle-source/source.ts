/**
 * A bundle that is kept up to date from its server. The last good one stays in use whatever comes after it; why it is
 * the last is in the status.
 */
import { setTimeout } from "node:timers/promises";
import type { SnapshotBundle } from "../bundle/bundle.ts";
import { applyDelta } from "../bundle/delta.ts";
import { BundleError, type BundleErrorCode } from "../bundle/errors.ts";
import { type BundleLimits, defaultBundleLimits } from "../bundle/limits.ts";
import { readBundle } from "../bundle/read.ts";
import type { BundleVerifier } from "../bundle/verifier.ts";
import { bundleAddress, shownAddress } from "./address.ts";
import { BundleFetchError, type BundleFetchErrorCode } from "./errors.ts";
import type { BundleStore, KeptBundle } from "./kept.ts";
import { type BundleCredentials, type FetchBundle, fetchBundle } from "./request.ts";
import { checkPolling, defaultPolling, nextDelayMs, type Polling } from "./schedule.ts";

export interface BundleSourceOptions {
  /** Of https. */
  readonly url: string;
  readonly credentials?: () => BundleCredentials | Promise<BundleCredentials>;
  /** With it only signed bundles are used. Asked for at each bundle, as credentials are, where it is a function. */
  readonly verifier?: BundleVerifier | (() => Promise<BundleVerifier>);
  readonly limits?: Partial<BundleLimits>;
  readonly polling?: Polling;
  /** Keeps the last good bundle over a restart. Deltas are then not asked for, as none of them is whole. */
  readonly store?: BundleStore;
  /**
   * Called with each new bundle, one at a time; the next is fetched once it is done. A bundle it throws at is not
   * taken into use, and the error's message becomes part of the status.
   */
  readonly onChange?: (bundle: SnapshotBundle) => void | Promise<void>;
  /** Must not throw. */
  readonly onStatus?: (status: BundleStatus) => void;
  readonly fetch?: FetchBundle;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly random?: () => number;
  /** Ends early, without an error, when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Times are milliseconds since 1970. */
export interface BundleStatus {
  /** Without its query. */
  readonly url: string;
  /** Of the bundle in use. */
  readonly revision: string | undefined;
  readonly etag: string | undefined;
  /** The bundle in use is the one kept on disk, and the server has not been heard of since. */
  readonly isFromDisk: boolean;
  readonly lastRequestAt: number | undefined;
  /** The server answered with a bundle that could be used, or that nothing is new. */
  readonly lastSuccessAt: number | undefined;
  /** The bundle in use was taken into use. */
  readonly lastActivationAt: number | undefined;
  /** Why the last attempt failed; undefined once one succeeds. */
  readonly problem: BundleProblem | undefined;
}

export interface BundleProblem {
  readonly code: BundleErrorCode | BundleFetchErrorCode;
  readonly message: string;
  readonly at: number;
}

export class BundleSource {
  readonly #options: BundleSourceOptions;
  readonly #url: URL;
  readonly #polling: Polling;
  readonly #limits: BundleLimits;
  readonly #now: () => number;
  #current: SnapshotBundle | undefined;
  #status: BundleStatus;
  #failures = 0;
  /** Until an answer says otherwise, the server is taken to hold requests where it is asked to. */
  #isLongPoll = true;
  /** Set where what came last did not fit what is in use: a whole bundle is needed. */
  #needsWhole = false;
  #unkept: KeptBundle | undefined;
  #running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  /** @throws BundleFetchError (INVALID_SOURCE), RangeError */
  constructor(options: BundleSourceOptions) {
    this.#options = options;
    this.#url = bundleAddress(options.url);
    this.#polling = options.polling ?? defaultPolling;
    checkPolling(this.#polling);
    this.#limits = { ...defaultBundleLimits, ...options.limits };
    this.#now = options.now ?? Date.now;
    this.#status = {
      url: shownAddress(this.#url),
      revision: undefined,
      etag: undefined,
      isFromDisk: false,
      lastRequestAt: undefined,
      lastSuccessAt: undefined,
      lastActivationAt: undefined,
      problem: undefined,
    };
  }

  /** The last good bundle. */
  get current(): SnapshotBundle | undefined {
    return this.#current;
  }

  get status(): BundleStatus {
    return this.#status;
  }

  start(): void {
    if (this.#running !== undefined) return;
    const stop = new AbortController();
    this.#running = { stop, done: this.#run(stop.signal) };
  }

  /** Resolves once nothing is under way any more. */
  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop.abort();
    await running?.done;
    if (this.#running === running) this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { random = Math.random, sleep = sleepFor } = this.#options;
    await this.#attempt(() => this.#restore());
    while (!signal.aborted) {
      const began = this.#now();
      await this.#attempt(() => this.#update(signal), signal);
      if (signal.aborted) return;
      const state = { failures: this.#failures, isLongPoll: this.#isLongPoll, answerMs: this.#now() - began };
      await sleep(nextDelayMs(this.#polling, state, random()), signal);
    }
  }

  async #attempt(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal?.aborted) return;
      this.#failures += 1;
      this.#report({ problem: { ...problemOf(error), at: this.#now() } });
    }
  }

  async #restore(): Promise<void> {
    const { store } = this.#options;
    const kept = await orElse("NOT_KEPT", "the bundle kept on disk cannot be read", () =>
      store?.load(this.#limits.compressedBytes),
    );
    if (kept === undefined || this.#current !== undefined) return;
    const bundle = await this.#read(kept.bytes);
    if (bundle.kind !== "snapshot") return;
    await this.#activate(bundle, kept.etag, true);
  }

  async #update(signal: AbortSignal): Promise<void> {
    const { credentials = () => ({}), verifier, store, fetch = fetchBundle } = this.#options;
    this.#report({ lastRequestAt: this.#now() });
    const hasBase = this.#current !== undefined && !this.#needsWhole;
    const answer = await fetch({
      url: this.#url,
      credentials: await orElse(
        "NO_CREDENTIALS",
        "there are no credentials for the bundle's server",
        credentials,
      ),
      etag: hasBase ? this.#status.etag : undefined,
      acceptsDelta: hasBase && verifier === undefined && store === undefined,
      waitSeconds: this.#isLongPoll && hasBase ? this.#polling.longPollSeconds : undefined,
      maxBytes: this.#limits.compressedBytes,
      signal,
    });
    if (answer.kind === "unchanged") {
      if (!hasBase)
        throw new BundleFetchError(
          "REFUSED_BY_SERVER",
          `${this.#status.url} answers "not modified", but nothing was fetched before`,
        );
    } else {
      this.#isLongPoll = answer.isLongPoll;
      await this.#take(answer.bytes, answer.etag);
    }
    await this.#keep();
    this.#failures = 0;
    this.#report({ lastSuccessAt: this.#now(), isFromDisk: false, problem: undefined });
  }

  async #take(bytes: Uint8Array, etag: string | undefined): Promise<void> {
    const bundle = await this.#read(bytes);
    if (bundle.kind === "snapshot") {
      await this.#activate(bundle, etag, false);
      this.#unkept = { bytes, etag };
      return;
    }
    try {
      if (this.#current === undefined || this.#options.store !== undefined)
        throw new BundleError("INVALID_PATCH", "a delta came where a whole bundle was asked for");
      await this.#activate(applyDelta(this.#current, bundle, this.#limits), etag, false);
    } catch (error) {
      this.#needsWhole = true;
      throw error;
    }
  }

  /** Tried again after each answer until it succeeds. */
  async #keep(): Promise<void> {
    const { store } = this.#options;
    const bundle = this.#unkept;
    if (store !== undefined && bundle !== undefined)
      await orElse("NOT_KEPT", "the bundle is in use but cannot be kept on disk", () => store.save(bundle));
    this.#unkept = undefined;
  }

  async #read(bytes: Uint8Array) {
    const { verifier: given } = this.#options;
    const verifier =
      typeof given === "function"
        ? await orElse("NO_CREDENTIALS", "there are no keys to verify the bundle with", given)
        : given;
    return readBundle(bytes, {
      limits: this.#limits,
      ...(verifier === undefined ? {} : { verification: { verifier, nowMs: this.#now() } }),
    });
  }

  async #activate(bundle: SnapshotBundle, etag: string | undefined, isFromDisk: boolean): Promise<void> {
    await orElse("NOT_ACTIVATED", "the bundle was fetched but is not used", () =>
      this.#options.onChange?.(bundle),
    );
    this.#current = bundle;
    this.#needsWhole = false;
    this.#report({ revision: bundle.manifest.revision, etag, isFromDisk, lastActivationAt: this.#now() });
  }

  #report(change: Partial<BundleStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus?.(this.#status);
  }
}

function problemOf(error: unknown): Omit<BundleProblem, "at"> {
  const message = error instanceof Error ? error.message : String(error);
  const isKnown = error instanceof BundleError || error instanceof BundleFetchError;
  return { code: isKnown ? error.code : "INTERNAL_ERROR", message };
}

/** Errors of others get a code of their own, with what failed before their message. */
async function orElse<T>(code: BundleFetchErrorCode, what: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BundleFetchError(code, `${what}: ${reason}`, { cause: error });
  }
}

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
