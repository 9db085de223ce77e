import type { IncomingHttpHeaders } from "node:http";

/** What is asked of a handler: a GET or HEAD of its own path. Bodies and query strings are not passed on. */
export interface HandlerRequest {
  readonly headers: IncomingHttpHeaders;
}

export interface HandlerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A path that is served beside `/metrics`; the counterpart of `ExtraHandlers` of Go's metrics server. */
export interface ExtraHandler {
  /**
   * Whether who asks must be allowed to `get` the path (`nonResourceURLs`), as for `/metrics`. What anybody may read must
   * hold nothing that the cluster holds.
   */
  readonly needsRight: boolean;
  answer(request: HandlerRequest): HandlerAnswer | Promise<HandlerAnswer>;
}
