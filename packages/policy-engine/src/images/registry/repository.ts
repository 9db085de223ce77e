/** What is asked of one repository of a registry (OCI distribution-spec v1.1). */
import { createHash } from "node:crypto";
import type { HttpResponse } from "../../rego/calls/index.ts";
import { isDigest } from "../reference.ts";
import { type ManifestDocument, parseManifest } from "./documents.ts";
import { RegistryError } from "./errors.ts";
import type { RegistryTransport } from "./transport.ts";

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const indexType = "application/vnd.oci.image.index.v1+json";

const answer = { isAnswer: true };

export class Repository {
  readonly #transport: RegistryTransport;
  readonly #name: string;
  /** For messages: registry and repository. */
  readonly #shown: string;

  constructor(transport: RegistryTransport, registry: string, name: string) {
    this.#transport = transport;
    this.#name = name;
    this.#shown = `${registry}/${name}`;
  }

  /** The digest that a tag has now; undefined where there is none. @throws RegistryError */
  async digestOf(tag: string): Promise<string | undefined> {
    const what = `${this.#shown}:${tag}`;
    // A HEAD is no pull, where pulls are counted.
    const head = await this.#ask("HEAD", `manifests/${tag}`, manifestTypes);
    if (head.statusCode === 404) return undefined;
    const [named = ""] = head.headers.get("docker-content-digest") ?? [];
    if (head.statusCode === 200 && isDigest(named)) return named;
    const response = await this.#ask("GET", `manifests/${tag}`, manifestTypes);
    if (response.statusCode === 404) return undefined;
    return digestOf(this.#body(response, what));
  }

  /** Undefined where there is none. @throws RegistryError */
  async manifest(reference: string): Promise<ManifestDocument | undefined> {
    const what = `${this.#shown}${isDigest(reference) ? "@" : ":"}${reference}`;
    const response = await this.#ask("GET", `manifests/${reference}`, manifestTypes);
    if (response.statusCode === 404) return undefined;
    const body = this.#body(response, what);
    if (isDigest(reference) && digestOf(body) !== reference)
      throw new RegistryError(`${what} is not what its digest says`, answer);
    return parseManifest(body, what);
  }

  /** @throws RegistryError */
  async blob(digest: string, mostBytes: number): Promise<Uint8Array> {
    const what = `${this.#shown}@${digest}`;
    const response = await this.#ask("GET", `blobs/${digest}`, "*/*");
    const body = this.#body(response, what);
    if (body.length > mostBytes) throw new RegistryError(`${what} is larger than ${mostBytes} bytes`, answer);
    if (digestOf(body) !== digest) throw new RegistryError(`${what} is not what its digest says`, answer);
    return body;
  }

  /** What refers to a manifest: asked by the API, and where a registry has none by the tag that stands in for it. @throws RegistryError */
  async referrers(digest: string): Promise<ManifestDocument | undefined> {
    const response = await this.#ask("GET", `referrers/${digest}`, indexType);
    if (response.statusCode === 200)
      return parseManifest(response.body, `what refers to ${this.#shown}@${digest}`);
    // Registries of before v1.1 answer in many ways to what they do not know.
    if (response.statusCode >= 500 || response.statusCode === 429) this.#body(response, this.#shown);
    return await this.manifest(digest.replace(":", "-"));
  }

  #ask(method: "GET" | "HEAD", path: string, accept: string): Promise<HttpResponse> {
    return this.#transport.request({ method, path: `${this.#name}/${path}`, repository: this.#name, accept });
  }

  #body({ statusCode, body }: HttpResponse, what: string): Uint8Array {
    if (statusCode === 200) return body;
    const hint = statusCode === 429 ? ", too many requests: give ShieldX credentials, or try later" : "";
    throw new RegistryError(`the registry answers ${statusCode} to ${what}${hint}`, {
      isAnswer: statusCode === 404,
    });
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
