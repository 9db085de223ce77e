import {
  BoundedMap,
  type Client,
  type Clock,
  type Logger,
  SubjectAccessReview,
  TokenBucket,
} from "@shieldx/controller-runtime";
import type { HttpRequest } from "../server/http-routes.ts";
import { AuthorityUnavailable, asking, type Caller, credentialOf, reviewToken } from "./caller.ts";
import { OpaError } from "./opa-error.ts";
import { Remembered } from "./remembered.ts";

export interface AccessOptions {
  /** Needs `create` on tokenreviews and subjectaccessreviews. */
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What tokens must be meant for; undefined: the API server. */
  readonly audience?: string | undefined;
}

/** Who may ask; the decision log and traces name it. */
export interface Admitted {
  readonly username: string;
}

const yesMs = 10_000;
/** Short, so that a right just granted is soon there; long enough that a client in a loop costs nothing. */
const noMs = 2_000;
const callersKept = 1_024;
const rightsKept = 4_096;
const reviewTimeoutMs = 3_000;

/** Questions to the API server per second and at once: of one address, and of all. */
const addressPerSecond = 10;
const addressBurst = 40;
const allPerSecond = 50;
const allBurst = 200;
const addressesKept = 1_024;

/**
 * Lets in whom the cluster's RBAC allows the path: the token is reviewed, or the client certificate read, and the API
 * server's authorizer is asked about `nonResourceURLs`. Nobody is allowed until somebody grants it. Tokens are kept as
 * hashes only.
 */
export class CallerAccess {
  readonly #options: AccessOptions;
  readonly #callers: Remembered<Caller | undefined>;
  readonly #rights: Remembered<boolean>;
  readonly #all: TokenBucket;
  readonly #addresses = new BoundedMap<string, TokenBucket>(addressesKept);

  constructor(options: AccessOptions) {
    this.#options = options;
    const { clock } = options;
    this.#callers = new Remembered(clock, callersKept, (caller) => (caller === undefined ? noMs : yesMs));
    this.#rights = new Remembered(clock, rightsKept, (isAllowed) => (isAllowed ? yesMs : noMs));
    this.#all = new TokenBucket(allPerSecond, allBurst, clock.monotonicNow());
  }

  /**
   * @param path canonical; @param verb the method in lower case, as the API server's own authorization has it
   * @throws OpaError 401, 403, 429, 503
   */
  async admit(request: HttpRequest, verb: string, path: string): Promise<Admitted> {
    try {
      const identified = await this.#identify(request);
      if (identified === undefined)
        throw new OpaError(
          401,
          "unauthorized",
          "send a bearer token that the API server knows (Authorization: Bearer …), or a client certificate",
          { "www-authenticate": "Bearer" },
        );
      const { key, caller } = identified;
      const isAllowed = await this.#rights.get(JSON.stringify([key, verb, path]), () =>
        this.#mayAsk(request.remoteAddress, caller, verb, path),
      );
      if (isAllowed) return { username: caller.username };
      throw new OpaError(
        403,
        "unauthorized",
        `${caller.username} may not ${verb} ${path}: grant it with a ClusterRole whose nonResourceURLs has the path and whose verbs has ${verb}`,
      );
    } catch (error) {
      if (!(error instanceof AuthorityUnavailable)) throw error;
      // The details name addresses, which strangers need not know.
      this.#options.logger.debug({ err: error }, "nobody can be let in: the API server could not be asked");
      throw new OpaError(503, "internal_error", "the API server could not be asked who you are; try again", {
        "retry-after": "1",
      });
    }
  }

  async #identify(request: HttpRequest): Promise<{ key: string; caller: Caller } | undefined> {
    const { client, clock, audience } = this.#options;
    const credential = credentialOf(request, clock.now());
    if (credential === undefined) return undefined;
    if (credential.kind === "certificate") return credential;
    const { key, token } = credential;
    const caller = await this.#callers.get(key, () => {
      this.#payFor(request.remoteAddress);
      return reviewToken(client, token, audience, reviewTimeoutMs);
    });
    return caller && { key, caller };
  }

  async #mayAsk(address: string, caller: Caller, verb: string, path: string): Promise<boolean> {
    this.#payFor(address);
    const { username, uid, groups, extra } = caller;
    const { client } = this.#options;
    const review = await asking(() =>
      client.create(
        SubjectAccessReview,
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          metadata: { name: "" },
          spec: {
            user: username,
            groups: [...groups],
            ...(uid === undefined ? {} : { uid }),
            ...(extra === undefined
              ? {}
              : {
                  extra: Object.fromEntries(
                    Object.entries(extra).map(([name, values]) => [name, [...values]]),
                  ),
                }),
            nonResourceAttributes: { path, verb },
          },
        },
        { timeoutMs: reviewTimeoutMs, retries: 0 },
      ),
    );
    return review.status?.allowed === true;
  }

  /** An address that makes up tokens shall not use up what the API server has for others. */
  #payFor(address: string): void {
    const now = this.#options.clock.monotonicNow();
    const own = this.#addresses.get(address) ?? new TokenBucket(addressPerSecond, addressBurst, now);
    this.#addresses.set(address, own);
    if (own.tryTake(now) && this.#all.tryTake(now)) return;
    throw new OpaError(429, "unauthorized", "too many callers have to be looked up at once; try again", {
      "retry-after": "1",
    });
  }
}
