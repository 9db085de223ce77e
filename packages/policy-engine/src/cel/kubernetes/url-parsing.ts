import { fromByteString, quoteBytes, toByteString } from "./go-strings.ts";
import { parseAddressBytes } from "./network-address.ts";
import { type Parsed, parsed, unparsed } from "./parsed.ts";
import { escapePart, isValidEncoding, unescapePart } from "./url-escaping.ts";

/**
 * URLs as Go's `net/url` (1.26) reads them: `ParseRequestURI` decides what is a URL, `Parse` takes it apart. The
 * WHATWG parser of JavaScript repairs what Go rejects and is no use here. All strings are byte strings.
 */

/** The pieces of a URL, decoded unless they say otherwise. */
export interface UrlPieces {
  readonly scheme: string;
  /** What follows `scheme:` when it does not start with a slash, still encoded. */
  readonly opaque: string;
  /** Encoded `user[:password]`, or undefined without `@`. */
  readonly userinfo: string | undefined;
  /** Host and port, an IPv6 address in brackets. */
  readonly host: string;
  /** A scheme is followed by one slash, not two: there is no host, not even an empty one. */
  readonly omitHost: boolean;
  readonly path: string;
  /** The path as written, when that is not how `escapePart` would write it. */
  readonly rawPath: string;
  /** As written, without `?`. */
  readonly rawQuery: string;
  /** There was a `?` with nothing behind. */
  readonly forceQuery: boolean;
  readonly fragment: string;
  /** The fragment as written, when that is not how `escapePart` would write it. */
  readonly rawFragment: string;
}

const nothing: UrlPieces = {
  scheme: "",
  opaque: "",
  userinfo: undefined,
  host: "",
  omitHost: false,
  path: "",
  rawPath: "",
  rawQuery: "",
  forceQuery: false,
  fragment: "",
  rawFragment: "",
};

/** Like Go's `ParseRequestURI`: an absolute URI or absolute path, in which `#` is an ordinary character. */
export function parseRequestUri(text: string): Parsed<UrlPieces> {
  const bytes = toByteString(text);
  const url = parseWithoutFragment(bytes, true);
  return "error" in url ? parseError(bytes, url.error) : url;
}

/** Like Go's `Parse`: any URI reference, with a fragment. */
export function parseUrl(text: string): Parsed<UrlPieces> {
  const bytes = toByteString(text);
  const [reference, rawFragment] = cut(bytes, "#");
  const url = parseWithoutFragment(reference, false);
  if ("error" in url) return parseError(reference, url.error);
  if (rawFragment === "") return url;
  const fragment = unescapePart(rawFragment, "fragment");
  if ("error" in fragment) return parseError(bytes, fragment.error);
  const asWritten = escapePart(fragment.value, "fragment") === rawFragment ? "" : rawFragment;
  return parsed({ ...url.value, fragment: fragment.value, rawFragment: asWritten });
}

function parseError(bytes: string, error: string): { readonly error: string } {
  return unparsed(`parse ${quoteBytes(bytes)}: ${error}`);
}

/** Text before and after the first `separator`; all and nothing when there is none. */
function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const controlCharacter = /[\0-\x1f\x7f]/;

function parseWithoutFragment(text: string, viaRequest: boolean): Parsed<UrlPieces> {
  if (controlCharacter.test(text)) return unparsed("net/url: invalid control character in URL");
  if (text === "" && viaRequest) return unparsed("empty url");
  if (text === "*") return parsed({ ...nothing, path: "*" });
  if (text.startsWith(":")) return unparsed("missing protocol scheme");
  const { scheme, rest } = splitScheme(text);
  const { before, rawQuery, forceQuery } = splitQuery(rest);
  const base: UrlPieces = { ...nothing, scheme, rawQuery, forceQuery };
  if (before.startsWith("/")) return parseHierarchy(base, before, viaRequest);
  if (scheme !== "") return parsed({ ...base, opaque: before });
  if (viaRequest) return unparsed("invalid URI for request");
  if (cut(before, "/")[0].includes(":")) {
    return unparsed("first path segment in URL cannot contain colon");
  }
  return withPath(base, before);
}

/** Scheme in lower case (RFC 3986 §3.1), "" when the text does not start with one. */
function splitScheme(text: string): { scheme: string; rest: string } {
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(text)?.[0];
  if (scheme === undefined) return { scheme: "", rest: text };
  return { scheme: scheme.slice(0, -1).toLowerCase(), rest: text.slice(scheme.length) };
}

function splitQuery(text: string): { before: string; rawQuery: string; forceQuery: boolean } {
  if (text.indexOf("?") === text.length - 1 && text !== "") {
    return { before: text.slice(0, -1), rawQuery: "", forceQuery: true };
  }
  const [before, rawQuery] = cut(text, "?");
  return { before, rawQuery, forceQuery: false };
}

/** `//authority/path` or `/path`. */
function parseHierarchy(base: UrlPieces, text: string, viaRequest: boolean): Parsed<UrlPieces> {
  const authorityAllowed = base.scheme !== "" || (!viaRequest && !text.startsWith("///"));
  if (!authorityAllowed || !text.startsWith("//")) {
    return withPath({ ...base, omitHost: base.scheme !== "" }, text);
  }
  const slash = text.indexOf("/", 2);
  const authority = slash < 0 ? text.slice(2) : text.slice(2, slash);
  const at = authority.lastIndexOf("@");
  const host = parseHost(base.scheme, authority.slice(at + 1));
  if ("error" in host) return host;
  const userinfo = at < 0 ? undefined : authority.slice(0, at);
  const flaw = userinfo === undefined ? undefined : userinfoFlaw(userinfo);
  if (flaw !== undefined) return unparsed(flaw);
  return withPath({ ...base, userinfo, host: host.value }, slash < 0 ? "" : text.slice(slash));
}

function withPath(base: UrlPieces, rawPath: string): Parsed<UrlPieces> {
  const path = unescapePart(rawPath, "path");
  if ("error" in path) return path;
  const asWritten = escapePart(path.value, "path") === rawPath ? "" : rawPath;
  return parsed({ ...base, path: path.value, rawPath: asWritten });
}

function userinfoFlaw(userinfo: string): string | undefined {
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(userinfo)) return "net/url: invalid userinfo";
  for (const piece of cut(userinfo, ":")) {
    const decoded = unescapePart(piece, "userinfo");
    if ("error" in decoded) return decoded.error;
  }
  return undefined;
}

function parseHost(scheme: string, host: string): Parsed<string> {
  const bracket = host.lastIndexOf("[");
  if (bracket > 0) return unparsed("invalid IP-literal");
  if (bracket === 0) return parseIpLiteral(host);
  const colon = host.indexOf(":");
  if (colon >= 0) {
    // Only http and https insist on one colon: other schemes put lists of hosts here.
    const strict = scheme === "http" || scheme === "https";
    const port = host.slice(strict ? colon : host.lastIndexOf(":"));
    if (!isOptionalPort(port)) return invalidPort(port);
  }
  return unescapePart(host, "host");
}

const isOptionalPort = (text: string): boolean => /^(?::[0-9]*)?$/.test(text);

const invalidPort = (port: string): { readonly error: string } =>
  unparsed(`invalid port ${quoteBytes(port)} after host`);

/** `[IPv6 address]` with an optional zone (RFC 6874) and port. */
function parseIpLiteral(host: string): Parsed<string> {
  const close = host.lastIndexOf("]");
  if (close < 0) return unparsed("missing ']' in host");
  const port = host.slice(close + 1);
  if (!isOptionalPort(port)) return invalidPort(port);
  const literal = host.slice(1, close);
  const zoneAt = literal.indexOf("%25");
  const name = unescapePart(zoneAt < 0 ? literal : literal.slice(0, zoneAt), "host");
  if ("error" in name) return name;
  const zone = zoneAt < 0 ? parsed("") : unescapePart(literal.slice(zoneAt), "zone");
  if ("error" in zone) return zone;
  const decoded = name.value + zone.value;
  const address = parseAddressBytes(decoded);
  if ("error" in address) return unparsed(`invalid host: ${address.error}`);
  if (address.value.width === 32) return unparsed("invalid IP-literal");
  return parsed(`[${decoded}]${port}`);
}

/** Host name without port and brackets, and port ("" for none): Go's `Hostname()` and `Port()`. */
export function splitHostPort(hostPort: string): { hostname: string; port: string } {
  const colon = hostPort.lastIndexOf(":");
  const hasPort = colon >= 0 && isOptionalPort(hostPort.slice(colon));
  const host = hasPort ? hostPort.slice(0, colon) : hostPort;
  const bracketed = host.startsWith("[") && host.endsWith("]");
  return {
    hostname: bracketed ? host.slice(1, -1) : host,
    port: hasPort ? hostPort.slice(colon + 1) : "",
  };
}

/** The path in its encoded form: as written where that is valid, Go's `EscapedPath()`. */
export function escapedPath({ path, rawPath }: UrlPieces): string {
  if (rawPath !== "" && isValidEncoding(rawPath, "path")) return rawPath;
  return path === "*" ? "*" : escapePart(path, "path");
}

/** Queries with more parameters than this are not taken apart at all (`net/url`'s urlmaxqueryparams). */
const maxQueryParameters = 10_000;

/** Keys and values of the query, decoded (and no byte strings any more); malformed pairs are left out, as Go's `Query()` does. */
export function queryValues(rawQuery: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const pairs = rawQuery.split("&");
  if (pairs.length > maxQueryParameters) return values;
  for (const pair of pairs) {
    if (pair === "" || pair.includes(";")) continue;
    const [rawKey, rawValue] = cut(pair, "=");
    const key = unescapePart(rawKey, "query");
    const value = unescapePart(rawValue, "query");
    if ("error" in key || "error" in value) continue;
    const name = fromByteString(key.value);
    const known = values.get(name);
    if (known === undefined) values.set(name, [fromByteString(value.value)]);
    else known.push(fromByteString(value.value));
  }
  return values;
}

/** The URL put together again, in the one form that two equal URLs share: Go's `String()`. */
export function formatUrl(url: UrlPieces): string {
  const scheme = url.scheme === "" ? "" : `${url.scheme}:`;
  const body = url.opaque === "" ? scheme + formatHierarchy(url, scheme) : scheme + url.opaque;
  const query = url.forceQuery || url.rawQuery !== "" ? `?${url.rawQuery}` : "";
  return body + query + formatFragment(url);
}

function formatHierarchy(url: UrlPieces, scheme: string): string {
  const path = escapedPath(url);
  let text = "";
  const omitHost = url.omitHost && url.host === "" && url.userinfo === undefined;
  if (!omitHost && (scheme !== "" || url.host !== "" || url.userinfo !== undefined)) {
    if (url.host !== "" || url.path !== "" || url.userinfo !== undefined) text += "//";
    if (url.userinfo !== undefined) text += `${formatUserinfo(url.userinfo)}@`;
    text += escapePart(url.host, "host");
  }
  if (path !== "" && !path.startsWith("/") && url.host !== "") text += "/";
  if (scheme + text === "" && cut(path, "/")[0].includes(":")) text += "./";
  return text + path;
}

function formatUserinfo(userinfo: string): string {
  const [name, password] = cut(userinfo, ":").map((piece) => {
    const decoded = unescapePart(piece, "userinfo");
    return escapePart("value" in decoded ? decoded.value : piece, "userinfo");
  });
  return userinfo.includes(":") ? `${name}:${password}` : `${name}`;
}

function formatFragment({ fragment, rawFragment }: UrlPieces): string {
  if (fragment === "") return "";
  const valid = rawFragment !== "" && isValidEncoding(rawFragment, "fragment");
  return `#${valid ? rawFragment : escapePart(fragment, "fragment")}`;
}
