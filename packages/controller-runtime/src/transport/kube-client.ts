import type { Credentials } from "../credentials/credentials.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { KubeList, KubeObject, KubeStatus, ObjectKey, WatchEvent } from "../kubernetes/objects.ts";
import { apiVersionOf, type ResourceType } from "../kubernetes/resource-type.ts";
import type { Tracer } from "../kubernetes/tracer.ts";
import { ApiError, isNotFound, type RequestDescription, TransportError } from "./api-error.ts";
import { applyBody } from "./apply-body.ts";
import type {
  Applicable,
  ApplyOptions,
  CallOptions,
  Client,
  DeleteOptions,
  JsonReader,
  ListOptions,
  PatchOptions,
  RawRequestOptions,
  RawResponse,
  ReadOptions,
  ServerVersion,
  WatchOptions,
  WriteOptions,
} from "./client.ts";
import { type HttpRequest, HttpTransport } from "./http-transport.ts";
import { readList } from "./list-stream.ts";
import { collectionPath, describe, objectPath, type Query, withQuery } from "./resource-path.ts";
import { noTransportMetrics, type TransportMetrics } from "./transport-metrics.ts";
import { WarningLog } from "./warnings.ts";
import { readWatchEvents } from "./watch-stream.ts";

export interface ClientOptions {
  credentials: Credentials;
  /** Default: this package's name and version. */
  userAgent?: string;
  metrics?: TransportMetrics;
  /** Receives the API server's warnings, each once. */
  logger?: Logger;
  /** Reports each request made within traced work, and tells the API server of it (`traceparent`). */
  tracer?: Tracer | undefined;
  /** Default 30 s. For one attempt, until the whole answer is there. */
  requestTimeoutMs?: number;
  /** Parallel connections for requests; watches have their own. Default 64. */
  maxConnections?: number;
  /** Largest answer accepted. Default 256 MiB. */
  maxResponseBytes?: number;
  /** Largest watch event accepted. Default 16 MiB; the API server stores objects of up to about 1.5 MiB. */
  maxWatchEventBytes?: number;
  /** A `Retry-After` beyond this is thrown instead of waited for. Default 30 s. */
  maxRetryAfterMs?: number;
  /** How a retry waits; tests pass their own. */
  sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** A {@link Client} on one pool of keep-alive connections. Opens nothing until the first call. */
export function createClient(options: ClientOptions): Client {
  const logger = options.logger ?? silentLogger;
  const maxResponseBytes = options.maxResponseBytes ?? 256 * 2 ** 20;
  const transport = new HttpTransport({
    credentials: options.credentials,
    server: options.credentials.server,
    userAgent: options.userAgent ?? defaultUserAgent,
    metrics: options.metrics ?? noTransportMetrics,
    logger,
    tracer: options.tracer,
    warnings: new WarningLog(logger),
    limits: {
      maxConnections: options.maxConnections ?? 64,
      maxResponseBytes,
    },
    maxRetryAfterMs: options.maxRetryAfterMs ?? 30_000,
    ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
  });
  return new KubeClient(transport, {
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    maxResponseBytes,
    maxWatchEventBytes: options.maxWatchEventBytes ?? 16 * 2 ** 20,
  });
}

const defaultUserAgent = `shieldx-controller-runtime/0.1.0 (${process.platform}/${process.arch}) node/${process.versions.node}`;
const defaultPageSize = 500;
const defaultRetries = 5;

interface ClientSettings {
  requestTimeoutMs: number;
  maxResponseBytes: number;
  maxWatchEventBytes: number;
}

class KubeClient implements Client {
  readonly server: string;
  readonly #transport: HttpTransport;
  readonly #settings: ClientSettings;

  constructor(transport: HttpTransport, settings: ClientSettings) {
    this.server = transport.server;
    this.#transport = transport;
    this.#settings = settings;
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    options: ReadOptions = {},
  ): Promise<T> {
    const path = objectPath(type, key, options.subresource);
    return this.#json<T>({
      method: "GET",
      path: withQuery(path, { resourceVersion: options.resourceVersion }),
      description: describe("get", type, key, options.subresource),
      ...(options.metadataOnly === true
        ? { headers: { accept: metadataAccept("PartialObjectMetadata") } }
        : {}),
      ...this.#call(options, true),
    });
  }

  async find<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options: ReadOptions = {}) {
    try {
      return await this.get(type, key, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const query: Query = {
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.limit,
      continue: options.continue,
      resourceVersion: options.resourceVersion,
      resourceVersionMatch: options.resourceVersionMatch,
    };
    const description = describe("list", type, namespacePart(options.namespace));
    const request: HttpRequest = {
      method: "GET",
      path: withQuery(collectionPath(type, options.namespace), query),
      description,
      ...(options.metadataOnly === true
        ? { headers: { accept: metadataAccept("PartialObjectMetadataList") } }
        : {}),
      ...this.#call(options, true),
    };
    const { onItems, parse } = options;
    const page =
      onItems === undefined
        ? await this.#json<KubeList<T>>(request, parse)
        : await this.#listAsItArrives<T>(request, (items) => onItems(nameItems(type, items)), parse);
    if (typeof page.metadata !== "object" || page.metadata === null) {
      throw new TransportError("MalformedResponse", description, "the answer is not a list");
    }
    page.items = nameItems(type, page.items ?? []);
    return page;
  }

  async *pages<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): AsyncIterable<T[]> {
    let next = options.continue;
    do {
      const page = await this.list(type, {
        ...options,
        limit: options.limit ?? defaultPageSize,
        continue: next,
      });
      yield page.items;
      next = page.metadata.continue;
    } while (next !== undefined && next !== "");
  }

  async create<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { subresource } = options;
    const key = object.metadata;
    const path = subresource === undefined ? creationPath(type, key) : objectPath(type, key, subresource);
    return this.#json<T>({
      method: "POST",
      path: withQuery(path, writeQuery(options)),
      headers: jsonBody,
      body: JSON.stringify(object),
      description: describe("create", type, key, subresource),
      ...this.#call(options, false),
    });
  }

  async replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = objectPath(type, object.metadata, options.subresource);
    return this.#json<T>({
      method: "PUT",
      path: withQuery(path, writeQuery(options)),
      headers: jsonBody,
      body: JSON.stringify(object),
      description: describe("update", type, object.metadata, options.subresource),
      ...this.#call(options, true),
    });
  }

  async delete(type: ResourceType, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: options.preconditions,
      propagationPolicy: options.propagationPolicy,
      gracePeriodSeconds: options.gracePeriodSeconds,
      ...(options.dryRun === true ? { dryRun: ["All"] } : {}),
    };
    await this.#transport.send({
      method: "DELETE",
      path: objectPath(type, key),
      headers: jsonBody,
      body: JSON.stringify(body),
      description: describe("delete", type, key),
      ...this.#call(options, true),
    });
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    body: unknown,
    options: PatchOptions,
  ) {
    const isApply = options.type === "apply";
    const path = objectPath(type, key, options.subresource);
    return this.#json<T>({
      method: "PATCH",
      path: withQuery(path, {
        ...writeQuery(options),
        force: isApply && options.force === true ? true : undefined,
      }),
      headers: patchHeaders[options.type],
      body: isApply ? applyBody(body) : JSON.stringify(body),
      description: describe(isApply ? "apply" : "patch", type, key, options.subresource),
      ...this.#call(options, isApply),
    });
  }

  async apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: Applicable<T>,
    options: ApplyOptions,
  ): Promise<T> {
    return this.patch(type, object.metadata, object, { ...options, type: "apply" });
  }

  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncIterable<WatchEvent<T>> {
    for await (const batch of this.watchBatches(type, options)) {
      for (const event of batch) {
        if (event.type === "ERROR")
          throw watchError(describe("watch", type, namespacePart(options.namespace)), event.object);
        yield event;
      }
    }
  }

  async *watchBatches<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncIterable<WatchEvent<T>[]> {
    const description = describe("watch", type, namespacePart(options.namespace));
    const query: Query = {
      watch: true,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds,
      allowWatchBookmarks: options.allowWatchBookmarks ?? true,
    };
    const stream = await this.#transport.stream({
      method: "GET",
      path: withQuery(collectionPath(type, options.namespace), query),
      description,
      ...(options.metadataOnly === true
        ? { headers: { accept: metadataAccept("PartialObjectMetadata") } }
        : {}),
      ...this.#call(options, true),
    });
    try {
      yield []; // the server accepted
      yield* readWatchEvents<T>(stream.body, description, this.#settings.maxWatchEventBytes, options.parse);
    } finally {
      stream.abort(new DOMException("the watch was ended by its reader", "AbortError"));
    }
  }

  async request(method: string, path: string, options: RawRequestOptions = {}): Promise<RawResponse> {
    const { body } = options;
    const isRaw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    return this.#transport.send({
      method: method.toUpperCase() as HttpRequest["method"],
      path: withQuery(path, options.query),
      headers: { ...(body === undefined ? {} : jsonBody), ...options.headers },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
      description: { verb: method.toLowerCase(), resource: path },
      ...this.#call(options, method.toUpperCase() === "GET"),
    });
  }

  async serverVersion(options: CallOptions = {}): Promise<ServerVersion> {
    const { body } = await this.request("GET", "/version", options);
    const version = JSON.parse(body) as { major: string; minor: string; gitVersion: string };
    return {
      major: Number.parseInt(version.major, 10),
      minor: Number.parseInt(version.minor, 10), // some distributions write "37+"
      gitVersion: version.gitVersion,
    };
  }

  withServer(url: string): Client {
    return new KubeClient(this.#transport.withServer(url), this.#settings);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #listAsItArrives<T extends KubeObject>(
    request: HttpRequest,
    onItems: (items: T[]) => void,
    parse: JsonReader | undefined,
  ): Promise<KubeList<T>> {
    const stream = await this.#transport.stream({ ...request, isSteady: true });
    try {
      return await readList<T>(
        stream.body,
        request.description,
        this.#settings.maxResponseBytes,
        onItems,
        parse,
      );
    } catch (error) {
      stream.abort(new DOMException("the list was ended by its reader", "AbortError"));
      throw error;
    }
  }

  async #json<R>(request: HttpRequest, parse: JsonReader = JSON.parse): Promise<R> {
    const answer = await this.#transport.send(request);
    try {
      return parse(answer.body) as R;
    } catch (error) {
      throw new TransportError("MalformedResponse", request.description, "the answer is not JSON", error);
    }
  }

  #call(
    options: CallOptions,
    isRepeatable: boolean,
  ): Pick<HttpRequest, "signal" | "timeoutMs" | "retries" | "beforeSend"> {
    return {
      signal: options.signal,
      beforeSend: options.beforeSend,
      timeoutMs: options.timeoutMs ?? this.#settings.requestTimeoutMs,
      retries: isRepeatable ? (options.retries ?? defaultRetries) : 0,
    };
  }
}

/** The error an ERROR event of a watch stands for. */
export function watchError(request: RequestDescription, status: KubeStatus): ApiError {
  return new ApiError(request, status.code ?? 500, status);
}

const jsonBody = { "content-type": "application/json" } as const;

const patchHeaders = {
  merge: { "content-type": "application/merge-patch+json" },
  json: { "content-type": "application/json-patch+json" },
  strategic: { "content-type": "application/strategic-merge-patch+json" },
  apply: { "content-type": "application/apply-patch+yaml" },
} as const;

function writeQuery(options: WriteOptions): Record<string, string | undefined> {
  return {
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation ?? "Strict",
    dryRun: options.dryRun === true ? "All" : undefined,
  };
}

function metadataAccept(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
}

function namespacePart(namespace: string | undefined): { namespace?: string } {
  return namespace === undefined || namespace === "" ? {} : { namespace };
}

function creationPath(type: ResourceType, key: ObjectKey): string {
  if (type.namespaced && (key.namespace === undefined || key.namespace === "")) {
    throw new TypeError(
      `create ${type.plural} "${key.name}": the namespace is missing; ${type.kind} is namespaced`,
    );
  }
  return collectionPath(type, key.namespace);
}

/** Built-in lists leave out each item's type, metadata lists carry another one: set it. */
function nameItems<T extends KubeObject>(type: ResourceType<T>, items: T[]): T[] {
  const apiVersion = apiVersionOf(type);
  for (const item of items) {
    item.apiVersion = apiVersion;
    item.kind = type.kind;
  }
  return items;
}
