/** Requests to one registry: credentials where it asks for them, redirects as far as they may go. */
import {
  type HttpCall,
  type HttpResponse,
  hostOf,
  isAllowed,
  type SendCall,
  shownHost,
} from "../../rego/calls/index.ts";
import type { Registry } from "../rules.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { ownOf, parseObject, textOf } from "./documents.ts";
import { RegistryError } from "./errors.ts";

export interface RegistryRequest {
  readonly method: "GET" | "HEAD";
  /** Below `/v2/`. */
  readonly path: string;
  /** What tokens are to be good for. */
  readonly repository: string;
  readonly accept: string;
}

export interface RegistryTransportParts {
  readonly send: SendCall;
  /** Undefined where the registry has none. Rejects with what to correct. */
  readonly credentials: (registry: Registry) => Promise<Credentials | undefined>;
  /** Tokens that registries gave, for all flights. */
  readonly tokens: TokenCache;
  /** How much time is left, in milliseconds. */
  readonly remainingMs: () => number;
}

export interface TokenCache {
  get(key: string): string | undefined;
  set(key: string, token: string, lastsMs: number): void;
}

const mostRedirects = 3;
const redirections: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export class RegistryTransport {
  readonly #registry: Registry;
  readonly #parts: RegistryTransportParts;

  constructor(registry: Registry, parts: RegistryTransportParts) {
    this.#registry = registry;
    this.#parts = parts;
  }

  /** @throws RegistryError; whatever status comes in the end is an answer, but for 401 and 403 */
  async request(request: RegistryRequest): Promise<HttpResponse> {
    const first = await this.#follow(request, this.#kept(request));
    const response = first.statusCode === 401 ? await this.#again(request, first) : first;
    if (response.statusCode === 401 || response.statusCode === 403) throw this.#denied();
    return response;
  }

  #kept({ repository }: RegistryRequest): string | undefined {
    return this.#parts.tokens.get(this.#tokenKey(repository));
  }

  #tokenKey(repository: string): string {
    return `${this.#registry.digest} ${repository}`;
  }

  async #again(request: RegistryRequest, refused: HttpResponse): Promise<HttpResponse> {
    const challenges = (refused.headers.get("www-authenticate") ?? []).flatMap(parseChallenges);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const credentials = await this.#parts.credentials(this.#registry);
    if (bearer !== undefined)
      return await this.#follow(
        request,
        `Bearer ${await this.#token(bearer, request.repository, credentials)}`,
      );
    if (credentials === undefined || !challenges.some(({ scheme }) => scheme === "basic"))
      throw this.#denied();
    return await this.#follow(request, basic(credentials));
  }

  /** As the distribution project documents it ("Token Authentication Specification"). */
  async #token(
    { parameters }: Challenge,
    repository: string,
    credentials: Credentials | undefined,
  ): Promise<string> {
    const { at, tokenHosts } = this.#registry;
    const url = URL.parse(parameters.get("realm") ?? "");
    if (url === null || url.username !== "" || url.password !== "")
      throw new RegistryError(`${this.#shown} names no address where tokens are had`);
    if (!isAllowed(url, [at, ...tokenHosts]))
      throw new RegistryError(
        `${this.#shown} has its tokens from ${shownHost(hostOf(url))}: list it in tokenHosts of the registry if that is right`,
      );
    const service = parameters.get("service");
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", `repository:${repository}:pull`);
    const authorization = credentials === undefined ? undefined : basic(credentials);
    const response = await this.#send("GET", url, "application/json", authorization, false);
    if (response.statusCode !== 200) throw this.#denied();
    const json = parseObject(response.body, `the token of ${this.#shown}`);
    const token = textOf(json, "token") ?? textOf(json, "access_token") ?? "";
    // It becomes a header.
    if (!/^[\x21-\x7e]{1,16384}$/.test(token))
      throw new RegistryError(`${this.#shown} gives no token that can be used`);
    const seconds = ownOf(json, "expires_in");
    const lastsMs = (typeof seconds === "number" ? Math.min(seconds, longestTokenSeconds) : 60) * 1_000;
    this.#parts.tokens.set(this.#tokenKey(repository), `Bearer ${token}`, lastsMs - earlierMs);
    return token;
  }

  async #follow(
    { method, path, accept }: RegistryRequest,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    const { at } = this.#registry;
    const origin = `${at.protocol}//${at.hostname}:${at.port}`;
    let url = new URL(`/v2/${path}`, origin);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const isHome = isAllowed(url, [at]);
      // Credentials are the registry's: where it sends on to has its own in the URL.
      const response = await this.#send(
        method,
        url,
        accept,
        isHome ? authorization : undefined,
        !this.#isListed(url),
      );
      const [location] = response.headers.get("location") ?? [];
      if (!redirections.has(response.statusCode) || location === undefined) return response;
      url = this.#redirected(url, location);
    }
    throw new RegistryError(`${this.#shown} sends on more than ${mostRedirects} times`);
  }

  /** Content is checked by its digest wherever it comes from; what must not be is that a registry makes us call what only we reach. */
  #redirected(from: URL, location: string): URL {
    const url = URL.parse(location, from.href);
    if (url === null || url.username !== "" || url.password !== "")
      throw new RegistryError(`${this.#shown} sends on to what is no URL of a host`);
    if (this.#isListed(url)) return url;
    const shown = shownHost(hostOf(url));
    if (url.protocol !== "https:" || !/[a-z]/.test(url.hostname) || url.hostname.startsWith("["))
      throw new RegistryError(
        `${this.#shown} sends on to ${shown}: list it in redirectHosts of the registry if that is right`,
      );
    return url;
  }

  #isListed(url: URL): boolean {
    const { at, redirectHosts } = this.#registry;
    return isAllowed(url, [at, ...redirectHosts]);
  }

  async #send(
    method: string,
    url: URL,
    accept: string,
    authorization: string | undefined,
    onlyPublic: boolean,
  ): Promise<HttpResponse> {
    const timeoutMs = this.#parts.remainingMs();
    const headers: [string, string][] = [["Accept", accept]];
    if (authorization !== undefined) headers.push(["Authorization", authorization]);
    const call: HttpCall = {
      kind: "http",
      key: "",
      method,
      url,
      headers,
      body: undefined,
      timeoutMs,
      followsRedirects: false,
      tls: { ...noTls, ca: this.#registry.ca },
      keep: undefined,
      hosts: [],
      onlyPublic,
    };
    const outcome = await this.#parts.send(call, timeoutMs);
    if (outcome.kind !== "answered") throw new RegistryError(outcome.message);
    return outcome.response;
  }

  get #shown(): string {
    return shownHost(this.#registry.at);
  }

  #denied(): RegistryError {
    const { name, credentials } = this.#registry;
    return new RegistryError(
      credentials === undefined
        ? `${this.#shown} wants credentials: name their Secret as pullSecretRef of registry ${name}`
        : `${this.#shown} refuses the credentials in Secret "${credentials.name}"`,
    );
  }
}

const noTls = { withSystemCa: true, certificate: undefined, key: undefined, serverName: undefined };
const longestTokenSeconds = 300;
/** A token must not end on the way. */
const earlierMs = 5_000;

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
