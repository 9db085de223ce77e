import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { BodyBudget, HeldBody } from "./body.ts";
import { readBody } from "./body.ts";
import { addressOf } from "./connections.ts";

/** A request beside admission. Its body is read when the handler asks for it, so that strangers cost no memory. */
export interface HttpRequest {
  readonly method: string;
  /** As `URL` has it: dot segments are gone, percent-encoding is kept. */
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** `address:port` of the peer. */
  readonly remote: string;
  readonly remoteAddress: string;
  readonly socket: TLSSocket;
  /** @throws HttpError as `readBody` does; at most once */
  readonly body: () => Promise<Buffer>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Requests other than admission reviews, on the same port and under the same limits of connections and time. */
export interface HttpRoutes {
  /** Of these requests only; admission has its own. */
  readonly budget: BodyBudget;
  /** What metrics call the route of this path; undefined where nothing is served. Asked for each request: cheap. */
  labelOf(pathname: string): string | undefined;
  /** What it throws is answered with `failed`. */
  answer(request: HttpRequest): Promise<HttpAnswer>;
  failed(error: unknown): HttpAnswer;
}

/** The request as routes see it, and `release` for the memory its body took. */
export function httpRequest(
  request: IncomingMessage,
  budget: BodyBudget,
): { readonly request: HttpRequest; readonly release: () => void } {
  let body: HeldBody | undefined;
  const socket = request.socket as TLSSocket;
  const address = addressOf(socket);
  const host = address.includes(":") ? `[${address}]` : address;
  return {
    request: {
      method: request.method ?? "",
      url: URL.parse(request.url ?? "", "https://webhook.invalid") ?? new URL("https://webhook.invalid/"),
      headers: request.headers,
      remote: `${host}:${socket.remotePort ?? 0}`,
      remoteAddress: address,
      socket,
      body: async () => {
        body = await readBody(request, budget);
        return body.bytes;
      },
    },
    release: () => body?.release(),
  };
}
