import { createHash } from "node:crypto";
import type { Clock } from "../clock/clock.ts";
import { TokenBucket } from "../control/queue/rate-limit.ts";
import { BoundedMap } from "../events/bounded-map.ts";
import { SubjectAccessReview, TokenReview } from "../kubernetes/resources.ts";
import type { Client } from "../transport/client.ts";

/** What may be answered to who asks for metrics. */
export type Access = "allowed" | "unauthenticated" | "forbidden" | "tooMany";

export interface ScrapeAccessOptions {
  /** Needs `create` on tokenreviews and subjectaccessreviews (the ClusterRole `system:auth-delegator`). */
  readonly client: Client;
  readonly clock: Clock;
  /** The path that a caller must be allowed to `get`. Default `/metrics`. */
  readonly path?: string;
  /** How long a yes is remembered, milliseconds. Default 10,000. */
  readonly rememberMs?: number;
}

/** Questions to the API server per second on behalf of unknown callers, and at once. */
const reviewsPerSecond = 5;
const reviewBurst = 20;

/**
 * Asks the API server who a bearer token is and whether it may `get` a path, as `kube-rbac-proxy` and
 * controller-runtime's metrics filter do. Remembers a yes for some seconds and a no never; tokens are kept as
 * hashes only.
 */
export class ScrapeAccess {
  readonly #options: ScrapeAccessOptions;
  readonly #allowedUntil = new BoundedMap<string, number>(128);
  readonly #reviews: TokenBucket;

  constructor(options: ScrapeAccessOptions) {
    this.#options = options;
    this.#reviews = new TokenBucket(reviewsPerSecond, reviewBurst, options.clock.monotonicNow());
  }

  /** @throws ApiError, TransportError when the API server cannot be asked: then nothing may be answered */
  async judge(authorization: string | undefined): Promise<Access> {
    const token = /^Bearer ([^\s]{1,16384})$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return "unauthenticated";
    const { clock, rememberMs = 10_000 } = this.#options;
    const hash = createHash("sha256").update(token).digest("base64");
    if ((this.#allowedUntil.get(hash) ?? Number.NEGATIVE_INFINITY) > clock.monotonicNow()) return "allowed";
    if (!this.#reviews.tryTake(clock.monotonicNow())) return "tooMany";
    const access = await this.#review(token);
    if (access === "allowed") this.#allowedUntil.set(hash, clock.monotonicNow() + rememberMs);
    return access;
  }

  async #review(token: string): Promise<Access> {
    const { client, path = "/metrics" } = this.#options;
    const review = await client.create(TokenReview, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: { name: "" },
      spec: { token },
    });
    const user = review.status?.user;
    if (review.status?.authenticated !== true || user === undefined) return "unauthenticated";
    const { username, uid, groups, extra } = user;
    const access = await client.create(SubjectAccessReview, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: { name: "" },
      spec: {
        ...(username === undefined ? {} : { user: username }),
        ...(uid === undefined ? {} : { uid }),
        ...(groups === undefined ? {} : { groups }),
        ...(extra === undefined ? {} : { extra }),
        nonResourceAttributes: { path, verb: "get" },
      },
    });
    return access.status?.allowed === true ? "allowed" : "forbidden";
  }
}
