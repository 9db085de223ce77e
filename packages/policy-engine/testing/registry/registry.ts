/** A registry (OCI distribution-spec v1.1, the part that is read) in memory, on loopback, over HTTPS. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { selfSignedCertificate } from "../cel-oracle/self-signed.ts";

export interface Stored {
  readonly mediaType: string;
  readonly body: Buffer;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

export const digestOf = (body: Buffer): string => `sha256:${createHash("sha256").update(body).digest("hex")}`;

/** What it does instead of answering; `undefined` lets it answer. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean | undefined;

export class TestRegistry {
  /** Whoever trusts it trusts the registry. */
  readonly certificatePem: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[] = [];
  intercept: Intercept = () => undefined;
  /** One of before v1.1 knows no referrers. */
  servesReferrers = true;
  readonly #server: ReturnType<typeof createServer>;
  readonly #manifests = new Map<string, Stored>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #tags = new Map<string, string>();
  readonly #referrers = new Map<string, object[]>();

  constructor(name = "registry") {
    const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", Date.now(), name);
    this.certificatePem = certificatePem;
    this.#server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
      this.asked.push(request.url ?? "");
      if (this.intercept(request, response) !== true) this.#answer(request, response);
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** An image of its own content; its digest. */
  pushImage(repository: string, tag: string, content: string): string {
    const layer = this.pushBlob(repository, Buffer.from(content), "application/vnd.oci.image.layer.v1.tar");
    const config = this.pushBlob(repository, Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
    return this.pushManifest(repository, { config, layers: [layer] }, tag);
  }

  pushBlob(repository: string, body: Buffer, mediaType: string) {
    const digest = digestOf(body);
    this.#blobs.set(`${repository}@${digest}`, body);
    return { mediaType, digest, size: body.length };
  }

  pushManifest(repository: string, members: object, tag?: string): string {
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, ...members }));
    const digest = digestOf(body);
    this.#manifests.set(`${repository}@${digest}`, { mediaType: manifestType, body });
    if (tag !== undefined) this.#tags.set(`${repository}:${tag}`, digest);
    const { subject, artifactType } = members as { subject?: { digest: string }; artifactType?: string };
    if (subject !== undefined) {
      const key = `${repository}@${subject.digest}`;
      const descriptor = { mediaType: manifestType, digest, size: body.length, artifactType };
      this.#referrers.set(key, [...(this.#referrers.get(key) ?? []), descriptor]);
    }
    return digest;
  }

  /** What tools write to registries that know no referrers: an index under a tag. */
  tagReferrers(repository: string, digest: string): void {
    const body = this.#referrersOf(repository, digest);
    const of = digestOf(body);
    this.#manifests.set(`${repository}@${of}`, { mediaType: indexType, body });
    this.#tags.set(`${repository}:${digest.replace(":", "-")}`, of);
  }

  #referrersOf(repository: string, digest: string): Buffer {
    const manifests = this.#referrers.get(`${repository}@${digest}`) ?? [];
    return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  }

  #answer({ url = "", method }: IncomingMessage, response: ServerResponse): void {
    const [, repository = "", what = "", reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|referrers)\/(.+)$/.exec(url) ?? [];
    const found = this.#find(repository, what, reference);
    if (found === undefined) {
      response
        .writeHead(404, { "Content-Type": "application/json" })
        .end('{"errors":[{"code":"NOT_FOUND"}]}');
      return;
    }
    response.writeHead(200, {
      "Content-Type": found.mediaType,
      "Content-Length": found.body.length,
      "Docker-Content-Digest": digestOf(found.body),
    });
    response.end(method === "HEAD" ? undefined : found.body);
  }

  #find(repository: string, what: string, reference: string): Stored | undefined {
    if (what === "manifests")
      return this.#manifests.get(
        `${repository}@${this.#tags.get(`${repository}:${reference}`) ?? reference}`,
      );
    if (what === "referrers" && this.servesReferrers)
      return { mediaType: indexType, body: this.#referrersOf(repository, reference) };
    const body = what === "blobs" ? this.#blobs.get(`${repository}@${reference}`) : undefined;
    return body && { mediaType: "application/octet-stream", body };
  }
}
