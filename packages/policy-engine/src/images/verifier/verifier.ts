/** Finds out who signed images, for every policy of a process: each question is under way once, and answers are kept. */
import { createHash } from "node:crypto";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { SendCall } from "../../rego/calls/index.ts";
import type { ImageCheck, ImageOutcome } from "../check.ts";
import { shownReference } from "../reference.ts";
import { type Credentials, credentialsOf } from "../registry/credentials.ts";
import { RegistryError } from "../registry/errors.ts";
import { Repository } from "../registry/repository.ts";
import { RegistryTransport } from "../registry/transport.ts";
import type { Registry } from "../rules.ts";
import { signaturesOf } from "../signatures/found.ts";
import { verifySignature } from "../signatures/verify.ts";
import { Kept } from "./kept.ts";
import { Turnstile } from "./turnstile.ts";

/** What came of a question, for metrics. */
export type VerificationResult = ImageOutcome["kind"] | "kept";

export interface ImageVerifierOptions {
  readonly send: SendCall;
  /** The text under a key of a Secret in ShieldX's namespace; rejects with what to do. */
  readonly readSecret: (name: string, key: string) => Promise<string>;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicNow: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of each question how it was answered, and how long that took in seconds. */
  readonly onVerified?: (result: VerificationResult, seconds: number) => void;
}

/** A signature that was good stays good: what it says of a digest does not change. */
const verifiedMs = 24 * 3_600_000;
/** Images are pushed first and signed a moment later. */
const unsignedMs = 5_000;
/** So that one request, which meets the policy when it is changed and when it is judged, waits once. */
const unknownMs = 2_000;
const longWaitMs = 1_000;
const tagMs = 10_000;
const secretMs = 30_000;

const mostVerified = 10_000;
const mostOthers = 2_000;
const mostFlights = 512;
const mostAtOnce = 6;

export class ImageVerifier {
  readonly #options: ImageVerifierOptions;
  /** By registry, repository, digest and rule. */
  readonly #verified = new Kept<ImageOutcome>(mostVerified);
  readonly #failed = new Kept<ImageOutcome>(mostOthers);
  /** Digests by registry and tag. */
  readonly #tags = new Kept<string>(mostOthers);
  readonly #tokens = new Kept<string>(mostOthers);
  readonly #secrets = new Kept<string>(64);
  readonly #flights = new Map<string, Promise<ImageOutcome>>();
  readonly #turnstile = new Turnstile(mostAtOnce, mostFlights);

  constructor(options: ImageVerifierOptions) {
    this.#options = options;
  }

  /** Never rejects, and takes no longer than `timeoutMs`; what is found out later is kept for who asks again. */
  readonly verify = async (check: ImageCheck, timeoutMs: number): Promise<ImageOutcome> => {
    const { monotonicNow, onVerified } = this.#options;
    const startedAt = monotonicNow();
    const kept = this.#kept(check);
    const outcome = kept ?? (await this.#found(check, timeoutMs));
    onVerified?.(kept === undefined ? outcome.kind : "kept", (monotonicNow() - startedAt) / 1_000);
    return outcome;
  };

  #kept(check: ImageCheck): ImageOutcome | undefined {
    const nowMs = this.#options.monotonicNow();
    const failed = this.#failed.find(check.key, nowMs);
    if (failed !== undefined) return failed;
    const digest = check.image.digest ?? this.#tags.find(tagKey(check), nowMs);
    return digest === undefined ? undefined : this.#verified.find(digestKey(check, digest), nowMs);
  }

  async #found(check: ImageCheck, timeoutMs: number): Promise<ImageOutcome> {
    const flight = this.#flightOf(check);
    if (flight === undefined)
      return { kind: "unknown", problem: `more than ${mostFlights} images are being verified; try again` };
    const ms = Math.max(1, Math.floor(timeoutMs));
    const over = new AbortController();
    const late = delay(ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    const outcome = await Promise.race([flight, late]);
    over.abort();
    return outcome ?? this.#late(check, ms);
  }

  #late({ key, registry }: ImageCheck, ms: number): ImageOutcome {
    const problem = `registry ${registry.name} did not answer within ${ms} ms, which is all the time the request has; try again`;
    const outcome: ImageOutcome = { kind: "unknown", problem };
    // Who waited that long is told again at once when the request comes to be judged.
    if (ms >= longWaitMs) this.#failed.keep(key, outcome, this.#options.monotonicNow() + unknownMs);
    return outcome;
  }

  #flightOf(check: ImageCheck): Promise<ImageOutcome> | undefined {
    const underWay = this.#flights.get(check.key);
    if (underWay !== undefined || this.#flights.size >= mostFlights) return underWay;
    const flight = this.#fly(check).finally(() => this.#flights.delete(check.key));
    this.#flights.set(check.key, flight);
    return flight;
  }

  /** Never rejects. */
  async #fly(check: ImageCheck): Promise<ImageOutcome> {
    const { monotonicNow } = this.#options;
    const until = monotonicNow() + check.timeoutMs;
    const lane = check.registry.digest;
    if (!(await this.#turnstile.enter(lane)))
      return {
        kind: "unknown",
        problem: `too many images of ${check.registry.name} wait to be verified; try again`,
      };
    let outcome: ImageOutcome;
    try {
      outcome = await this.#ask(check, () => Math.max(1, until - monotonicNow()));
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      outcome = { kind: "unknown", problem };
    } finally {
      this.#turnstile.leave(lane);
    }
    if (outcome.kind === "verified") this.#failed.drop(check.key);
    else {
      const lastsMs = outcome.kind === "unsigned" ? unsignedMs : unknownMs;
      this.#failed.keep(check.key, outcome, monotonicNow() + lastsMs);
    }
    return outcome;
  }

  async #ask(check: ImageCheck, remainingMs: () => number): Promise<ImageOutcome> {
    const { image, registry } = check;
    if (remainingMs() <= 1)
      throw new RegistryError(`registry ${registry.name} is slow, and its turn came too late`);
    const transport = new RegistryTransport(registry, {
      send: this.#options.send,
      credentials: (of) => this.#credentials(of),
      tokens: this.#tokenCache,
      remainingMs,
    });
    const repository = new Repository(transport, registry.name, image.repository);
    const digest = image.digest ?? (await this.#resolve(check, repository));
    if (digest === undefined) return { kind: "unsigned", problem: "the registry has no such image" };
    const known = this.#verified.find(digestKey(check, digest), this.#options.monotonicNow());
    return known ?? (await this.#judge(check, repository, digest));
  }

  async #resolve(check: ImageCheck, repository: Repository): Promise<string | undefined> {
    const digest = await repository.digestOf(check.image.tag ?? "latest");
    if (digest !== undefined) this.#tags.keep(tagKey(check), digest, this.#options.monotonicNow() + tagMs);
    return digest;
  }

  async #judge(check: ImageCheck, repository: Repository, digest: string): Promise<ImageOutcome> {
    const { now, monotonicNow } = this.#options;
    const problems: string[] = [];
    for await (const found of signaturesOf(repository, digest)) {
      const verdict = await verifySignature(found, check.rule, digest, now());
      if (verdict.kind === "good") {
        const { signer, untilMs = Number.POSITIVE_INFINITY } = verdict;
        const outcome: ImageOutcome = { kind: "verified", digest, signer };
        const lastsMs = Math.min(verifiedMs, untilMs - now());
        this.#verified.keep(digestKey(check, digest), outcome, monotonicNow() + lastsMs);
        return outcome;
      }
      problems.push(verdict.problem);
      // Checking a signature holds the thread for a while.
      await nextTurn();
    }
    return { kind: "unsigned", problem: unsignedBecause(problems, digest) };
  }

  async #credentials({ name, credentials }: Registry): Promise<Credentials | undefined> {
    if (credentials === undefined) return undefined;
    const { monotonicNow, readSecret } = this.#options;
    const key = JSON.stringify([credentials.name, credentials.key]);
    const kept = this.#secrets.find(key, monotonicNow());
    const text = kept ?? (await readSecret(credentials.name, credentials.key));
    if (kept === undefined) this.#secrets.keep(key, text, monotonicNow() + secretMs);
    return credentialsOf(text, name, `Secret "${credentials.name}"`);
  }

  readonly #tokenCache = {
    get: (key: string) => this.#tokens.find(key, this.#options.monotonicNow()),
    set: (key: string, token: string, lastsMs: number) =>
      this.#tokens.keep(key, token, this.#options.monotonicNow() + lastsMs),
  };
}

function unsignedBecause(problems: readonly string[], digest: string): string {
  const [first, ...others] = problems;
  if (first === undefined) return `it carries no signature (${digest})`;
  const more = others.length === 0 ? "" : `, and ${others.length} more that are no better`;
  return `it carries a signature, but ${first}${more} (${digest})`;
}

/** How a registry is reached is part of it: over plain HTTP a tag may be anything. */
function tagKey({ image, registry }: ImageCheck): string {
  return hashOf([registry.digest, shownReference(image)]);
}

function digestKey({ image, registry, rule }: ImageCheck, digest: string): string {
  return hashOf([registry.digest, image.repository, digest, rule.digest]);
}

/** Keys are short, whatever names are. */
function hashOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64");
}
