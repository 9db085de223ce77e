import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { Logger, Span, Tracer } from "@shieldx/controller-runtime";
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  decodeAdmissionReview,
  encodeAdmissionAnswer,
} from "./admission-review.ts";
import { type BodyBudget, readBody } from "./body.ts";
import { addressOf, type Connection, Connections } from "./connections.ts";
import { HandshakeLedger } from "./handshakes.ts";
import { HttpError, type HttpErrorCode, statusBody } from "./http-error.ts";
import { type HttpRoutes, httpRequest } from "./http-routes.ts";
import { measureJson } from "./json-depth.ts";
import type { WebhookMetrics } from "./metrics.ts";
import { reviewHead } from "./review-head.ts";
import { traceReview } from "./review-trace.ts";
import { type Target, Targets } from "./target.ts";

export interface RequestContext {
  /** Time left for the evaluation, in milliseconds. */
  readonly deadlineMs: number;
  /** Fingerprint of the leaf that this request's connection was made with. */
  readonly leaf: string;
  readonly remoteAddress: string;
  /** The request takes so much memory that one such is held at a time: nothing may keep it beyond the answer. */
  readonly isLarge?: boolean;
  /** What the trace of this review is told; undefined when nothing is traced. */
  readonly span?: Span;
}

/** Answers one admission request. When it throws, the request fails with HTTP 500 and failurePolicy decides. */
export type AdmissionHandler = (
  request: AdmissionRequest,
  context: RequestContext,
) => AdmissionAnswer | Promise<AdmissionAnswer>;

/** Why a request's objects were not looked at. */
export interface Unread {
  /** `TooLarge` always, `NoRoom` just now. */
  readonly code: "TooLarge" | "NoRoom";
  /** For whoever made the request. */
  readonly message: string;
}

/**
 * Answers a request that is too large to be read, or for which there was no room in time, and which HTTP's error would let
 * pass under failurePolicy Ignore. `head` is the request without its objects, where so much is known.
 */
export type UnreadHandler = (
  head: AdmissionRequest | undefined,
  why: Unread,
  context: RequestContext,
) => Promise<AdmissionAnswer>;

export interface Leaf {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly fingerprint: string;
}

export interface ServerLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly handshakeMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
  /** A connection on which no request ever begins ends after this long. */
  readonly unusedMs: number;
  /** After a change of leaf, old connections end with an answer within this time. */
  readonly retireSpreadMs: number;
}

/** Go's HTTP clients, API servers among them, drop idle connections after 90 s; they must be the first to. */
const keepAliveMs = 120_000;

export const defaultServerLimits: ServerLimits = {
  connections: 2_000,
  connectionsPerAddress: 500,
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  unusedMs: keepAliveMs,
  retireSpreadMs: 10_000,
};

export interface WebhookServerOptions {
  /** In logs and metrics: `https` or `probe`. */
  readonly port: string;
  readonly routes: ReadonlyMap<string, AdmissionHandler>;
  /** For those of the routes where what was not read must not pass; elsewhere it is an error of HTTP. */
  readonly unread?: ReadonlyMap<string, UnreadHandler> | undefined;
  /** What is served beside admission. */
  readonly http?: HttpRoutes | undefined;
  readonly leaf: Leaf;
  /** PEM; when given, clients must present a certificate signed by it. */
  readonly clientCa?: string;
  /** End each connection after one answer: for the probe, which must meet the leaf of now. */
  readonly singleRequest?: boolean;
  readonly budget: BodyBudget;
  readonly metrics: WebhookMetrics;
  readonly logger: Logger;
  /** Reports each review as a span, part of the API server's trace where it sends one. */
  readonly tracer?: Tracer | undefined;
  readonly limits?: Partial<ServerLimits>;
}

/** Of the time for an answer, so much may go by before there is room for the request, and before it is read. */
const shareForWaiting = 0.5;
const shareForReading = 0.8;
/** API servers ask for what is left of their time, rounded up to whole seconds: so much less it may be. */
const roundedUpMs = 1_000;

function longestWaitMs(timeMs: number): number {
  return Math.max(0, Math.min(timeMs * shareForWaiting, timeMs - roundedUpMs));
}

/** What V8 takes for an empty list, which counts as two values; there is nothing shorter that takes as much. */
const bytesPerValue = 40;

const unreadCodes: Partial<Record<HttpErrorCode, Unread["code"]>> = {
  RequestEntityTooLarge: "TooLarge",
  Overloaded: "NoRoom",
};

interface Asked extends Target {
  readonly request: IncomingMessage;
  readonly arrived: number;
}

interface HeldReview {
  readonly review: AdmissionRequest;
  readonly isLarge: boolean;
  /** Of the memory it takes. */
  readonly release: () => void;
}

/** How much of a refused body is still read, so that its sender gets to see the answer. */
const lingerBytes = 16 * 1024 * 1024;
const lingerMs = 5_000;

/**
 * An HTTPS server for admission requests, TLS 1.3 only. The leaf can be changed at any time without a connection or
 * request being lost.
 */
export class WebhookServer {
  readonly handshakes = new HandshakeLedger();
  readonly #options: WebhookServerOptions;
  readonly #limits: ServerLimits;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #targets: Targets;
  #leaf: Leaf;
  #isDraining = false;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#limits = { ...defaultServerLimits, ...options.limits };
    this.#connections = new Connections(this.#limits.retireSpreadMs);
    this.#leaf = options.leaf;
    this.#targets = new Targets((pathname) => options.routes.has(pathname));
    this.#server = createServer(
      {
        ...secureContext(options.leaf, options.clientCa),
        ...(options.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
        handshakeTimeout: this.#limits.handshakeMs,
        ALPNProtocols: ["http/1.1"],
        maxHeaderSize: 16 * 1024,
        connectionsCheckingInterval: Math.min(1_000, this.#limits.headersMs),
      },
      (request, response) => {
        this.#serve(request, response).catch((error: unknown) => {
          options.logger.error(
            { err: error, port: options.port },
            "an admission request could not be answered",
          );
          response.destroy();
        });
      },
    );
    this.#server.headersTimeout = this.#limits.headersMs;
    this.#server.requestTimeout = this.#limits.requestMs;
    this.#server.keepAliveTimeout = keepAliveMs;
    this.#watchConnections();
  }

  /** Fingerprint of the leaf that new connections get. */
  get leaf(): string {
    return this.#leaf.fingerprint;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Where it listens; undefined before. */
  get address(): AddressInfo | undefined {
    const address = this.#server.address();
    return address === null || typeof address === "string" ? undefined : address;
  }

  /** @throws what the operating system does, as EADDRINUSE */
  async listen(host: string | undefined, port: number): Promise<AddressInfo> {
    this.#server.listen(host === undefined ? { port } : { host, port });
    await once(this.#server, "listening");
    const address = this.address;
    if (address === undefined) throw new Error("the server has no address although it listens");
    return address;
  }

  /** New connections get this leaf from now on. Old ones end with one of their next answers. */
  setLeaf(leaf: Leaf): void {
    if (leaf.fingerprint === this.#leaf.fingerprint) return;
    this.#server.setSecureContext(secureContext(leaf, this.#options.clientCa));
    this.#leaf = leaf;
    this.#connections.retireOthers(leaf.fingerprint, performance.now());
  }

  /** From now on each answer ends its connection, so that clients turn to other replicas. */
  beginDraining(): void {
    this.#isDraining = true;
  }

  /** Stops listening, lets requests under way finish for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#isDraining = true;
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(cut);
  }

  #watchConnections(): void {
    const { metrics, port, logger } = this.#options;
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.accept(socket);
      const reason = this.#reasonToRefuse(addressOf(socket));
      if (reason === undefined) return;
      metrics.refusedConnections.inc({ port, reason });
      socket.destroy();
    });
    this.#server.on("secureConnection", (socket) => {
      const { remoteAddress, leaf } = this.#connections.open(socket);
      metrics.connections.set({ port }, this.#connections.size);
      socket.once("close", () => metrics.connections.set({ port }, this.#connections.size));
      if (socket.isSessionReused()) return;
      this.handshakes.record(remoteAddress, leaf);
      metrics.handshake(port, remoteAddress, leaf);
    });
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      metrics.refusedConnections.inc({ port, reason: "handshake" });
      logger.debug({ port, remote: socket.remoteAddress, code: error.code }, "a TLS handshake failed");
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && socket.bytesRead === 0 && !socket.destroyed) {
        this.#keepUnused(socket);
        return;
      }
      const status = clientErrors[error.code ?? ""] ?? "400 Bad Request";
      metrics.requests.labels({ webhook: "other", code: status.slice(0, 3) }).inc();
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      else socket.destroy();
      // The peer may not take the hint.
      setTimeout(() => socket.destroy(), 1_000).unref();
    });
  }

  /**
   * A connection that has not been used yet is a spare one in an API server's pool: its first request may be on its way
   * now, and what we sent it would be taken for the answer. It ends, if it is never used, after API servers end theirs.
   */
  #keepUnused(socket: Socket): void {
    const left = Math.max(0, this.#limits.unusedMs - this.#limits.headersMs);
    const ended = setTimeout(() => {
      if (socket.bytesRead === 0) socket.destroy();
    }, left).unref();
    socket.once("close", () => clearTimeout(ended));
  }

  /** Why a new connection from this address cannot be had, unless an idle one can go instead. */
  #reasonToRefuse(address: string): string | undefined {
    const now = performance.now();
    if (this.#connections.countOf(address) > this.#limits.connectionsPerAddress) {
      return this.#connections.endIdle(now, address) ? undefined : "too-many-per-address";
    }
    if (this.#connections.accepted > this.#limits.connections) {
      return this.#connections.endIdle(now) ? undefined : "too-many";
    }
    return undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const arrived = performance.now();
    const { metrics } = this.#options;
    const { pathname, timeMs } = this.#targets.of(request.url ?? "");
    const handler = this.#options.routes.get(pathname);
    const { http } = this.#options;
    const route = handler === undefined ? http?.labelOf(pathname) : undefined;
    if (http !== undefined && route !== undefined) {
      await this.#serveHttp(request, response, http, route);
      return;
    }
    const webhook = handler === undefined ? "other" : pathname;
    const inFlight = metrics.inFlight.labels({ webhook });
    inFlight.inc();
    response.once("close", this.#connections.begin(this.#connections.of(request.socket)));
    const asked: Asked = { request, pathname, timeMs, arrived };
    let held: HeldReview | undefined;
    try {
      const route = checkRoute(request, handler, pathname);
      held = await this.#read(asked);
      const { review, isLarge } = held;
      const context = { ...this.#contextOf(asked), isLarge };
      const { tracer } = this.#options;
      const answer = await (tracer === undefined
        ? route(review, context)
        : traceReview(tracer, {
            review,
            context,
            route,
            path: pathname,
            parent: request.headers.traceparent,
          }));
      this.#answer(request, response, 200, encodeAdmissionAnswer(review.uid, answer));
    } catch (error) {
      // Whether more of the request is to come is known once the chunk it arrived with has been parsed to its end.
      await new Promise(setImmediate);
      if (!(await this.#answerUnread(asked, response, error)))
        this.#refuse(request, response, webhook, error, held?.review.uid);
    } finally {
      held?.release();
      inFlight.inc(-1);
      metrics.requests.labels({ webhook, code: String(response.statusCode) }).inc();
      metrics.latency.labels({ webhook }).observe((performance.now() - arrived) / 1000);
    }
  }

  /** @throws HttpError, with the body's beginning */
  async #read({ request, timeMs, arrived }: Asked): Promise<HeldReview> {
    const body = await readBody(request, this.#options.budget, longestWaitMs(timeMs));
    try {
      const size = measureJson(body.bytes);
      await body.holdMore(size.values * bytesPerValue);
      const review = decodeAdmissionReview(body.bytes, size);
      // What waited for its turn must not run out of time for being judged, which failurePolicy Ignore lets pass.
      if (body.isLarge && performance.now() - arrived > timeMs * shareForReading)
        throw new HttpError("Overloaded", "too many large requests at once; try again");
      return { review, isLarge: body.isLarge, release: body.release };
    } catch (error) {
      body.release();
      if (error instanceof HttpError) error.head ??= body.bytes;
      throw error;
    }
  }

  /** @returns whether there is such an answer */
  async #answerUnread(asked: Asked, response: ServerResponse, error: unknown): Promise<boolean> {
    const handler = this.#options.unread?.get(asked.pathname);
    if (handler === undefined || !(error instanceof HttpError) || error.head === undefined) return false;
    const code = unreadCodes[error.code];
    const head = code && reviewHead(error.head);
    if (code === undefined || head === undefined) return false;
    const { request } = asked;
    try {
      const why = { code, message: error.message };
      const answer = await handler(head.request, why, this.#contextOf(asked));
      this.#answer(request, response, 200, encodeAdmissionAnswer(head.uid, answer), error.mustClose);
    } catch (cause) {
      this.#refuse(request, response, asked.pathname, cause, head.uid);
    }
    return true;
  }

  async #serveHttp(
    request: IncomingMessage,
    response: ServerResponse,
    http: HttpRoutes,
    webhook: string,
  ): Promise<void> {
    const arrived = performance.now();
    const { metrics, logger } = this.#options;
    const inFlight = metrics.inFlight.labels({ webhook });
    inFlight.inc();
    response.once("close", this.#connections.begin(this.#connections.of(request.socket)));
    const { request: asked, release } = httpRequest(request, http.budget);
    try {
      const { status, body, headers } = await http.answer(asked);
      // As in #serve: only now is known whether more of the request is to come.
      if (!request.complete) await new Promise(setImmediate);
      this.#answer(request, response, status, body, false, headers);
    } catch (error) {
      await new Promise(setImmediate);
      if (!(error instanceof HttpError)) {
        metrics.panics.inc({ webhook });
        logger.error({ webhook, err: error }, "a request could not be answered");
      }
      const { status, body, headers } = http.failed(error);
      this.#answer(request, response, status, body, error instanceof HttpError && error.mustClose, headers);
    } finally {
      release();
      inFlight.inc(-1);
      metrics.requests.labels({ webhook, code: String(response.statusCode) }).inc();
      metrics.latency.labels({ webhook }).observe((performance.now() - arrived) / 1000);
    }
  }

  #contextOf({ request, timeMs, arrived }: Asked): RequestContext {
    const connection: Connection | undefined = this.#connections.of(request.socket);
    const spentMs = performance.now() - arrived;
    return {
      deadlineMs: Math.max(0, timeMs - spentMs),
      leaf: connection?.leaf ?? this.leaf,
      remoteAddress: connection?.remoteAddress ?? "unknown",
    };
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    webhook: string,
    error: unknown,
    uid: string | undefined,
  ): void {
    const { logger, metrics, port } = this.#options;
    const about = uid === undefined ? { webhook } : { webhook, uid };
    if (error instanceof HttpError) {
      logger.debug(
        { ...about, port, status: error.status, remote: request.socket.remoteAddress },
        error.message,
      );
      if (error.code === "MethodNotAllowed") response.setHeader("allow", "POST");
      if (error.code === "Overloaded") response.setHeader("retry-after", "1");
      this.#answer(
        request,
        response,
        error.status,
        statusBody(error.status, error.code, error.message),
        error.mustClose,
      );
      return;
    }
    metrics.panics.inc({ webhook });
    logger.error({ ...about, err: error }, "an admission handler failed");
    this.#answer(
      request,
      response,
      500,
      statusBody(500, "InternalError", "internal error; see the webhook's log"),
    );
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    body: string,
    mustClose = false,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    const retireAt = this.#connections.of(request.socket)?.retireAt ?? Number.POSITIVE_INFINITY;
    const isUnread = !request.complete;
    const isLast =
      mustClose ||
      isUnread ||
      this.#isDraining ||
      this.#options.singleRequest === true ||
      performance.now() >= retireAt;
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...headers,
      ...(isLast ? { connection: "close" } : {}),
    });
    if (isUnread) {
      response.write(body);
      linger(request, () => response.end());
    } else {
      response.end(body);
    }
  }
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function secureContext(leaf: Leaf, clientCa: string | undefined): SecureContextOptions {
  return {
    cert: leaf.certificatePem,
    key: leaf.privateKeyPem,
    minVersion: "TLSv1.3",
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}

function checkRoute(
  request: IncomingMessage,
  handler: AdmissionHandler | undefined,
  path: string,
): AdmissionHandler {
  if (handler === undefined) throw new HttpError("NotFound", `no webhook is served at ${path.slice(0, 128)}`);
  if (request.method !== "POST") {
    throw new HttpError(
      "MethodNotAllowed",
      `method ${request.method} is not allowed; admission requests are POSTed`,
    );
  }
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json") {
    const got = type === "" ? "no content type" : `content type "${type.slice(0, 64)}"`;
    throw new HttpError("UnsupportedMediaType", `${got} is not supported; send application/json`);
  }
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new HttpError(
      "UnsupportedMediaType",
      `content encoding "${encoding.slice(0, 64)}" is not supported`,
    );
  }
  return handler;
}

/**
 * Reads on for a while after an early answer: a connection closed under a sender that is still writing is reset, and
 * the answer lost with it.
 */
function linger(request: IncomingMessage, then: () => void): void {
  let skipped = 0;
  const end = (): void => {
    clearTimeout(cut);
    then();
  };
  const cut = setTimeout(() => request.socket.destroy(), lingerMs);
  request.on("data", (chunk: Buffer) => {
    skipped += chunk.length;
    if (skipped > lingerBytes) request.socket.destroy();
  });
  request.once("end", end).once("close", end).once("error", end);
  request.resume();
}
