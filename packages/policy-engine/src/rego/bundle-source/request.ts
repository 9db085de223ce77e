/** One HTTPS request for a bundle. */
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { redirected, shownAddress } from "./address.ts";
import { BundleFetchError } from "./errors.ts";

/** What to authenticate with, and whom to trust; asked for at each request, so that Secrets may change. */
export interface BundleCredentials {
  readonly bearerToken?: string;
  /** PEM; the system's authorities where there is none. */
  readonly ca?: string;
  /** A client certificate, PEM. */
  readonly certificate?: string;
  readonly privateKey?: string;
}

export interface BundleRequest {
  readonly url: URL;
  readonly credentials: BundleCredentials;
  /** The ETag of what is there already. */
  readonly etag: string | undefined;
  /** Whether a delta may come instead of a whole bundle. */
  readonly acceptsDelta: boolean;
  /** How long the server may wait for news, in seconds. */
  readonly waitSeconds: number | undefined;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export type BundleAnswer =
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "bundle";
      readonly bytes: Uint8Array;
      readonly etag: string | undefined;
      /** The server holds requests until there is news (OPA's documentation, "HTTP Long Polling"). */
      readonly isLongPoll: boolean;
    };

/** @throws BundleFetchError */
export type FetchBundle = (request: BundleRequest) => Promise<BundleAnswer>;

const maxRedirects = 5;
/** From the last byte to the next. */
const idleMs = 30_000;
/** All of an answer, beyond the time the server may wait. */
const answerMs = 300_000;
const longPollType = "application/vnd.openpolicyagent.bundles";

export const fetchBundle: FetchBundle = async (request) => {
  const waitMs = (request.waitSeconds ?? 0) * 1_000;
  const timeout = AbortSignal.timeout(waitMs + answerMs);
  const signal = AbortSignal.any([request.signal, timeout]);
  let url = request.url;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const response = await send(url, request, signal, waitMs + idleMs);
    const status = response.statusCode ?? 0;
    if ([301, 302, 303, 307, 308].includes(status)) {
      response.destroy();
      url = redirected(url, response.headers.location);
      continue;
    }
    if (status === 304) {
      response.destroy();
      return { kind: "unchanged" };
    }
    if (status !== 200) {
      response.destroy();
      throw new BundleFetchError(
        "REFUSED_BY_SERVER",
        `${shownAddress(url)} answers ${status}${hintFor(status)}`,
      );
    }
    return {
      kind: "bundle",
      bytes: await bodyOf(response, request.maxBytes, url),
      etag: response.headers.etag,
      isLongPoll: response.headers["content-type"] === longPollType,
    };
  }
  throw new BundleFetchError(
    "REDIRECT_REFUSED",
    `${shownAddress(request.url)} sends on more than ${maxRedirects} times`,
  );
};

function hintFor(status: number): string {
  if (status === 401 || status === 403) return ": check the token or client certificate";
  return status === 404 ? ": check the bundle's url" : "";
}

function headersOf({ etag, credentials, acceptsDelta, waitSeconds }: BundleRequest): Record<string, string> {
  const modes = acceptsDelta ? "modes=snapshot,delta" : "modes=snapshot";
  return {
    "Accept-Encoding": "identity",
    "User-Agent": "shieldx",
    Prefer: waitSeconds === undefined ? modes : `${modes};wait=${waitSeconds}`,
    ...(etag === undefined ? {} : { "If-None-Match": etag }),
    ...(credentials.bearerToken === undefined ? {} : { Authorization: `Bearer ${credentials.bearerToken}` }),
  };
}

async function send(
  url: URL,
  request: BundleRequest,
  signal: AbortSignal,
  silenceMs: number,
): Promise<IncomingMessage> {
  const { ca, certificate, privateKey } = request.credentials;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const fail = (error: unknown): void => reject(failureOf(error, url));
  try {
    const sent = httpsRequest(url, {
      method: "GET",
      agent: false,
      minVersion: "TLSv1.2",
      headers: headersOf(request),
      signal,
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(privateKey === undefined ? {} : { key: privateKey }),
    });
    sent.setTimeout(silenceMs, () =>
      sent.destroy(new BundleFetchError("TIMED_OUT", silence(url, silenceMs))),
    );
    sent.once("response", resolve);
    // Stays: an aborted request may complain again.
    sent.on("error", fail);
    sent.end();
  } catch (error) {
    // Keys and header values that cannot be used. The error's text may quote them.
    throw new BundleFetchError(
      "INVALID_SOURCE",
      "the token, authority or client certificate for the bundle's server cannot be used",
      {
        cause: error,
      },
    );
  }
  return await promise;
}

async function bodyOf(response: IncomingMessage, maxBytes: number, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      // Leaving the loop closes the connection.
      if (size > maxBytes)
        throw new BundleFetchError("TOO_LARGE", `${shownAddress(url)} sends more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw failureOf(error, url);
  }
  return Buffer.concat(chunks);
}

function silence(url: URL, ms: number): string {
  return `${shownAddress(url)} was silent for ${Math.round(ms / 1_000)} s`;
}

function failureOf(error: unknown, url: URL): BundleFetchError {
  if (error instanceof BundleFetchError) return error;
  const name = error instanceof Error ? error.name : "";
  if (
    name === "TimeoutError" ||
    (error instanceof Error && error.cause instanceof Error && error.cause.name === "TimeoutError")
  )
    return new BundleFetchError("TIMED_OUT", `${shownAddress(url)} took too long to answer`, {
      cause: error,
    });
  const reason = error instanceof Error ? error.message : String(error);
  return new BundleFetchError("REQUEST_FAILED", `${shownAddress(url)} cannot be reached: ${reason}`, {
    cause: error,
  });
}
