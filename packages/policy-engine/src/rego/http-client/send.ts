/** One call over the network, redirects followed as far as the policy's hosts go. */
import { lookup as lookUpName } from "node:dns";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { getCACertificates } from "node:tls";
import type { CallTls, HttpCall, HttpResponse } from "../calls/call.ts";
import { hostOf, isAllowed, shownHost } from "../calls/hosts.ts";
import { refusedAddress } from "./addresses.ts";
import { CallFailedError } from "./errors.ts";

const mostAnswerBytes = 1_048_576;
const maxRedirects = 5;
const redirections: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What may go to another host than it was written for: any other header may be a key (RFC 9110, 15.4). */
const forOthers = /^(accept(-.*)?|content-type|user-agent)$/;

/** What goes out next; a redirect changes it. */
type Step = Pick<HttpCall, "method" | "url" | "headers" | "body" | "tls" | "onlyPublic">;

/** @throws CallFailedError, and the signal's reason */
export async function sendOverNetwork(call: HttpCall, signal: AbortSignal): Promise<HttpResponse> {
  let step: Step = call;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const response = await answerTo(step, signal);
    const location = response.headers.location;
    const isSentOn = call.followsRedirects && redirections.has(response.statusCode ?? 0);
    if (!isSentOn || location === undefined) return await read(response, step.url, signal);
    response.destroy();
    step = redirected(step, location, response.statusCode ?? 0, call);
  }
  throw new CallFailedError(`${shown(call.url)} sends on more than ${maxRedirects} times`);
}

function redirected(step: Step, location: string, status: number, { hosts }: HttpCall): Step {
  const url = URL.parse(location, step.url.href);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new CallFailedError(`${shown(step.url)} sends on to what is no URL of a host`);
  if (!isAllowed(url, hosts))
    throw new CallFailedError(
      `${shown(step.url)} sends on to ${shown(url)}, which spec.rego.allowedHosts does not list`,
    );
  url.hash = "";
  const { headers, tls } = url.origin === step.url.origin ? step : withoutCredentials(step);
  // As browsers and Go's client do: only 307 and 308 keep method and body (RFC 9110, 15.4).
  if (status === 307 || status === 308) return { ...step, url, headers, tls };
  const method = step.method === "HEAD" ? "HEAD" : "GET";
  return { method, url, headers: headers.filter(([name]) => name !== "content-type"), body: undefined, tls };
}

/** For another host: what it is not to learn, and the name that the certificate of the one before was for. */
function withoutCredentials({ headers, tls: { ca, withSystemCa } }: Step): Pick<Step, "headers" | "tls"> {
  return {
    headers: headers.filter(([name]) => forOthers.test(name)),
    tls: { ca, withSystemCa, certificate: undefined, key: undefined, serverName: undefined },
  };
}

async function answerTo(step: Step, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  let sent: ClientRequest;
  try {
    sent = open(step, signal);
  } catch (error) {
    // Certificates and keys that cannot be used. The error's text may quote them.
    throw new CallFailedError(`the certificates, the key or a header for ${shown(step.url)} cannot be used`, {
      cause: error,
    });
  }
  sent.once("response", resolve);
  // Stays: an aborted request may complain again.
  sent.on("error", (error) => reject(failureOf(error, step.url, signal)));
  // Neither is waited for: the connection is another protocol's from there on.
  sent.once("upgrade", (_, socket) => socket.destroy());
  sent.once("close", () => reject(failureOf(new Error("the connection was closed"), step.url, signal)));
  sent.end(step.body);
  return await promise;
}

function open(step: Step, signal: AbortSignal): ClientRequest {
  const { url, method, headers, body, tls, onlyPublic = false } = step;
  const isSecure = url.protocol === "https:";
  const address = url.hostname.replace(/^\[|\]$/g, "");
  const options = {
    method,
    agent: false,
    signal,
    lookup: lookUpFor(url.hostname, onlyPublic),
    hostname: address,
  } as const;
  const target = { ...options, port: url.port, path: `${url.pathname}${url.search}` };
  const sent = isSecure ? httpsRequest({ ...target, ...secureOptions(tls) }) : httpRequest(target);
  for (const [name, value] of headers) sent.setHeader(name, value);
  for (const [name, value] of defaultHeaders(body)) if (!sent.hasHeader(name)) sent.setHeader(name, value);
  return sent;
}

function defaultHeaders(body: Uint8Array | undefined): readonly (readonly [string, string])[] {
  const common = [
    ["User-Agent", "shieldx"],
    ["Accept-Encoding", "identity"],
  ] as const;
  return body === undefined ? common : [...common, ["Content-Length", String(body.length)]];
}

function secureOptions({ ca, withSystemCa, certificate, key, serverName }: CallTls) {
  return {
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca: withSystemCa ? [...getCACertificates("default"), ca] : ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  } as const;
}

/** Refuses addresses after the name was looked up, and connects to those it saw: a second look-up might answer otherwise. */
function lookUpFor(host: string, onlyPublic: boolean): LookupFunction {
  return (name, options, callback) => {
    lookUpName(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      const refusal = found
        .map(({ address }) => refusedAddress(host, address, onlyPublic))
        .find((why) => why !== undefined);
      const [first] = found;
      if (refusal !== undefined) return callback(new CallFailedError(refusal), "");
      if (first === undefined) return callback(new CallFailedError(`${host} has no address`), "");
      if (options.all === true) return callback(null, found);
      return callback(null, first.address, first.family);
    });
  };
}

async function read(response: IncomingMessage, url: URL, signal: AbortSignal): Promise<HttpResponse> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      // Leaving the loop closes the connection.
      if (size > mostAnswerBytes)
        throw new CallFailedError(`${shown(url)} answers with more than ${mostAnswerBytes} bytes`, {
          endsEvaluation: true,
        });
      chunks.push(chunk);
    }
  } catch (error) {
    throw failureOf(error, url, signal);
  }
  const { statusCode = 0, statusMessage = "" } = response;
  return {
    status: `${statusCode} ${statusMessage}`,
    statusCode,
    headers: headersOf(response.rawHeaders),
    body: Buffer.concat(chunks),
  };
}

function headersOf(raw: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), raw[at + 1] ?? ""]);
  }
  return headers;
}

function failureOf(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof CallFailedError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CallFailedError(`${shown(url)} cannot be reached: ${reason}`, { cause: error });
}

/** The host alone: paths and queries may hold what is secret. */
const shown = (url: URL): string => shownHost(hostOf(url));
