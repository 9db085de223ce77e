import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import dispatchRequest from "undici/lib/api/api-request.js";
import type { ClientAuth, Credentials } from "../credentials/credentials.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeStatus } from "../kubernetes/objects.ts";
import type { Span, Tracer } from "../kubernetes/tracer.ts";
import { ApiError, type RequestDescription, retryAfterMs } from "./api-error.ts";
import { Attempt } from "./attempt.ts";
import { ConnectionPool } from "./connection-pool.ts";
import type { ConnectionLimits } from "./connections.ts";
import { isLostConnection } from "./network-errors.ts";
import type { TransportMetrics } from "./transport-metrics.ts";
import type { WarningLog } from "./warnings.ts";

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS";
  /** Path and query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  description: RequestDescription;
  signal?: AbortSignal | undefined;
  /** See `CallOptions.beforeSend`. */
  beforeSend?: (() => void) | undefined;
  /** For one attempt, until the whole answer is there (streams: until its headers are). */
  timeoutMs: number;
  /** Of a stream: `timeoutMs` is also how long nothing may arrive, which is an error then. */
  isSteady?: boolean;
  /** How often to try again when the server asks to wait, or an idle connection turned out dead. */
  retries: number;
}

export interface HttpResponse {
  status: number;
  headers: ResponseHeaders;
  body: string;
}

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpStream {
  status: number;
  headers: ResponseHeaders;
  body: AsyncIterable<Buffer>;
  /** Cuts the connection. */
  abort(reason: Error): void;
}

export interface TransportOptions {
  credentials: Credentials;
  server: string;
  userAgent: string;
  metrics: TransportMetrics;
  logger: Logger;
  /** Reports each request that is part of traced work. */
  tracer?: Tracer | undefined;
  warnings: WarningLog;
  limits: ConnectionLimits;
  /** Waits longer than this are left to the caller. */
  maxRetryAfterMs: number;
  /** Real time unless a test passes its own; rejects when the signal aborts. */
  sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/**
 * HTTP towards one API server: authenticates, retries where that is safe, counts, and turns refusals into
 * {@link ApiError}. Knows nothing of resources.
 */
export class HttpTransport {
  /** Base URL as it was given. */
  readonly server: string;
  readonly origin: string;
  readonly host: string;
  readonly #prefix: string;
  readonly #options: TransportOptions;
  readonly #pool: ConnectionPool;
  readonly #sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;

  constructor(options: TransportOptions, pool = new ConnectionPool(options.limits, options.logger)) {
    const url = new URL(options.server);
    this.server = options.server;
    this.origin = url.origin;
    this.host = url.host;
    this.#prefix = url.pathname === "/" ? "" : url.pathname.replace(/\/+$/, "");
    this.#options = options;
    this.#pool = pool;
    this.#sleep =
      options.sleep ?? ((ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }));
  }

  /** The same identity and connection pool, another endpoint. */
  withServer(server: string): HttpTransport {
    return new HttpTransport({ ...this.#options, server }, this.#pool);
  }

  /** @throws ApiError, TransportError, CredentialsError, or the signal's reason. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { tracer } = this.#options;
    if (tracer === undefined) return this.#send(request);
    const { verb, resource, namespace, name } = request.description;
    const attributes = {
      "k8s.request.verb": verb,
      "k8s.request.resource": resource,
      "k8s.namespace.name": namespace,
      "k8s.object.name": name,
      "http.request.method": request.method,
      "server.address": this.host,
    };
    return tracer.step(`${verb} ${resource}`, attributes, (span) => this.#sendTraced(request, span));
  }

  async #sendTraced(request: HttpRequest, span: Span | undefined): Promise<HttpResponse> {
    if (span === undefined) return this.#send(request);
    const headers = { ...request.headers, traceparent: span.traceparent };
    try {
      const answer = await this.#send({ ...request, headers });
      span.set("http.response.status_code", answer.status);
      return answer;
    } catch (error) {
      if (error instanceof ApiError) span.set("http.response.status_code", error.code);
      throw error;
    }
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    return this.#withRetries(request, async (auth) => {
      const attempt = new Attempt(request);
      try {
        const answer = await this.#dispatch(this.#pool.requests(auth.tls), request, auth, attempt);
        const body = await answer.body.text();
        return { status: answer.statusCode, headers: answer.headers, body };
      } catch (error) {
        throw attempt.explain(error);
      } finally {
        attempt.end();
      }
    });
  }

  /** Opens a stream (a watch, a log): resolves once its headers are there. @throws as {@link send} */
  async stream(request: HttpRequest): Promise<HttpStream> {
    let attempt: Attempt | undefined;
    const answer = await this.#withRetries(request, async (auth) => {
      attempt = new Attempt(request);
      try {
        const opened = await this.#dispatch(this.#pool.streams(auth.tls), request, auth, attempt);
        const { statusCode: status, headers } = opened;
        if (status >= 400) {
          const body = await opened.body.text();
          attempt.end();
          return { status, headers, body, opened: undefined };
        }
        if (request.isSteady !== true) attempt.stopTimer();
        return { status, headers, body: "", opened };
      } catch (error) {
        attempt.end();
        throw attempt.explain(error);
      }
    });
    const { opened, status, headers } = answer;
    const current = attempt;
    if (opened === undefined || current === undefined) throw new Error("unreachable: a refusal throws");
    return {
      status,
      headers,
      body: readStream(opened.body, current),
      abort: (reason) => current.abort(reason),
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #dispatch(
    dispatcher: Dispatcher,
    request: HttpRequest,
    auth: ClientAuth,
    attempt: Attempt,
  ): Promise<Dispatcher.ResponseData> {
    const { metrics, warnings, userAgent } = this.#options;
    const startedAt = performance.now();
    try {
      const answer = await dispatchRequest.call(withCheck(dispatcher, attempt.beforeSend), {
        origin: this.origin,
        path: this.#prefix + request.path,
        method: request.method,
        headers: { accept: "application/json", "user-agent": userAgent, ...auth.headers, ...request.headers },
        body: request.body ?? null,
        signal: attempt.signal,
      });
      metrics.requestFinished({ code: String(answer.statusCode), method: request.method, host: this.host });
      if (answer.headers.warning !== undefined) {
        warnings.record(
          answer.headers.warning,
          `${request.description.verb} ${request.description.resource}`,
        );
      }
      return answer;
    } catch (error) {
      metrics.requestFinished({ code: "<error>", method: request.method, host: this.host });
      throw error;
    } finally {
      metrics.requestDuration(
        { verb: request.description.verb, host: this.host },
        (performance.now() - startedAt) / 1000,
      );
    }
  }

  async #withRetries<R extends { status: number; headers: ResponseHeaders; body: string }>(
    request: HttpRequest,
    once: (auth: ClientAuth) => Promise<R>,
  ): Promise<R> {
    let authenticatedAgain = false;
    let left = request.retries;
    for (;;) {
      request.signal?.throwIfAborted();
      const given = this.#options.credentials.current();
      const auth = given instanceof Promise ? await given : given;
      let answer: R;
      try {
        answer = await once(auth);
      } catch (error) {
        if (left > 0 && isLostConnection(error)) {
          left = 0; // a connection that died while idle: one fresh one is enough to tell
          continue;
        }
        throw error;
      }
      if (answer.status < 400) return answer;
      if (answer.status === 401 && !authenticatedAgain) {
        authenticatedAgain = true;
        await this.#options.credentials.refresh(auth);
        continue;
      }
      const waitMs = retryAfterMs(firstOf(answer.headers["retry-after"]), Date.now());
      if (
        left > 0 &&
        waitMs !== undefined &&
        waitMs <= this.#options.maxRetryAfterMs &&
        asksToWait(answer.status)
      ) {
        left--;
        await this.#sleep(waitMs, request.signal);
        continue;
      }
      throw new ApiError(request.description, answer.status, statusOf(answer.body), waitMs);
    }
  }
}

/** A dispatcher that calls `check` as the request goes out to its socket; undici fails it with what that throws. */
function withCheck(dispatcher: Dispatcher, check: (() => void) | undefined): Dispatcher {
  if (check === undefined) return dispatcher;
  return dispatcher.compose((dispatch) => (options, handler) => {
    const checked: Dispatcher.DispatchHandler = Object.create(handler, {
      onRequestStart: {
        value: (controller: Dispatcher.DispatchController, context: unknown) => {
          check();
          handler.onRequestStart?.(controller, context);
        },
      },
    });
    return dispatch(options, checked);
  });
}

function asksToWait(status: number): boolean {
  return status === 429 || status >= 500;
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

/** The refusal's Status; a body that is none (a proxy's page, say) becomes its message, shortened. */
function statusOf(body: string): KubeStatus {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && (parsed as KubeStatus).kind === "Status")
      return parsed as KubeStatus;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const text = body.trim().replace(/\s+/g, " ").slice(0, 300);
  return { message: text === "" ? "the answer has no body" : text };
}

async function* readStream(body: AsyncIterable<Buffer>, attempt: Attempt): AsyncIterable<Buffer> {
  try {
    for await (const chunk of body) {
      attempt.restartTimer();
      yield chunk;
    }
  } catch (error) {
    throw attempt.explain(error);
  } finally {
    attempt.end();
  }
}
