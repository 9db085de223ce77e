import { type Client, type Clock, delay, type Logger } from "@shieldx/controller-runtime";
import { documentPath, type ObjectTypes, objectTypes, withoutProse } from "@shieldx/policy-engine";
import type { FindTypes } from "../admission/mutations.ts";

/** Documents kept: one of a busy group is some megabytes in memory. */
const mostDocuments = 32;
const largestDocument = 16 * 1024 * 1024;
/** How soon one that could not be read, or does not define a kind (yet), is read again. */
const readAgainMs = 2_000;
/** How soon a change of a CustomResourceDefinition shows here. */
const refreshMs = 10_000;

interface Document {
  /** Where it was read: the address changes with the content. */
  readonly address: string;
  readonly types: ObjectTypes;
}

/**
 * The OpenAPI v3 documents of the API server (KEP-2896), by group and version, read when first asked for. Any
 * authenticated client may read them (ClusterRole `system:discovery`).
 */
export class ObjectSchemas {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** In the order in which they were last asked for. */
  readonly #documents = new Map<string, Document>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #readAt = new Map<string, number>();

  constructor(parts: { readonly client: Client; readonly clock: Clock; readonly logger: Logger }) {
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  readonly find: FindTypes = async (kind, timeoutMs) => {
    const path = documentPath(kind);
    if (this.#known(path)?.(kind) === undefined && this.#mayRead(path)) {
      const waiting = new AbortController();
      const tooLong = delay(this.#clock, timeoutMs, waiting.signal).catch(() => undefined);
      await Promise.race([this.#reading(path), tooLong]);
      waiting.abort();
    }
    return this.#known(path) ?? nothingKnown;
  };

  /** Reads what policies are going to need, so that no request waits for it. */
  expect(versions: Iterable<{ readonly group: string; readonly version: string }>): void {
    for (const version of versions) {
      const path = documentPath(version);
      if (!this.#documents.has(path) && this.#mayRead(path)) void this.#reading(path);
    }
  }

  /** Follows changes of what is known, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await delay(this.#clock, refreshMs, signal);
        if (this.#documents.size > 0) await this.#refresh(signal);
      } catch (error) {
        if (!signal.aborted)
          this.#logger.debug({ err: error }, "schemas could not be compared with the API server's");
      }
    }
  }

  #known(path: string): ObjectTypes | undefined {
    const document = this.#documents.get(path);
    if (document === undefined) return undefined;
    this.#documents.delete(path);
    this.#documents.set(path, document);
    return document.types;
  }

  /** Requests about kinds that nobody defines must not become as many to the API server. */
  #mayRead(path: string): boolean {
    return (
      this.#underWay.has(path) ||
      !(this.#clock.monotonicNow() - (this.#readAt.get(path) ?? -readAgainMs) < readAgainMs)
    );
  }

  /** Goes on when whoever asked has given up: the next one finds it. */
  #reading(path: string): Promise<void> {
    const known = this.#underWay.get(path);
    if (known !== undefined) return known;
    if (this.#readAt.size >= mostDocuments * 4) this.#readAt.clear();
    this.#readAt.set(path, this.#clock.monotonicNow());
    const reading = this.#readByIndex(path)
      .catch((error: unknown) => {
        this.#logger.warn(
          { err: error, document: path },
          "a schema could not be read; mutations of its kinds wait for it",
        );
      })
      .finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, reading);
    return reading;
  }

  async #readByIndex(path: string): Promise<void> {
    const address = (await this.#addresses()).get(path);
    if (address === undefined) throw new SchemaError(`the API server has no OpenAPI document ${path}`);
    await this.#read(path, address);
  }

  async #read(path: string, address: string, signal?: AbortSignal): Promise<void> {
    const { body } = await this.#client.request("GET", address, signal === undefined ? {} : { signal });
    if (body.length > largestDocument)
      throw new SchemaError(
        `OpenAPI document ${path} has ${body.length} characters; at most ${largestDocument} are read`,
      );
    const types = objectTypes(JSON.parse(body, withoutProse));
    if (types === undefined) throw new SchemaError(`OpenAPI document ${path} defines no schemas`);
    this.#documents.set(path, { address, types });
    for (const oldest of this.#documents.keys()) {
      if (this.#documents.size <= mostDocuments) break;
      this.#documents.delete(oldest);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const addresses = await this.#addresses(signal);
    for (const [path, { address }] of [...this.#documents]) {
      const newest = addresses.get(path);
      if (newest === undefined) this.#documents.delete(path);
      else if (newest !== address) await this.#read(path, newest, signal);
    }
  }

  /** `serverRelativeURL` by document: it ends in a hash of the content. */
  async #addresses(signal?: AbortSignal): Promise<Map<string, string>> {
    const { body } = await this.#client.request("GET", "/openapi/v3", signal === undefined ? {} : { signal });
    const { paths = {} } = JSON.parse(body) as { paths?: Record<string, { serverRelativeURL?: unknown }> };
    const addresses = new Map<string, string>();
    for (const [path, { serverRelativeURL: address }] of Object.entries(paths)) {
      if (typeof address === "string" && address.startsWith("/openapi/v3/")) addresses.set(path, address);
    }
    return addresses;
  }
}

/** Thrown when the API server has no usable document. */
class SchemaError extends Error {
  readonly code = "SHIELDX_SCHEMA";
}

const nothingKnown: ObjectTypes = () => undefined;
