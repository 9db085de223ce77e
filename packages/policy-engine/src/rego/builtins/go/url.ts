/** Go's net/url: parsing with its errors, percent-encoding by component, query strings. */
import { compareStrings } from "../../values.ts";
import { countWork } from "../../work-meter.ts";
import { bytesOf, textOf } from "./bytes.ts";
import { parseAddress } from "./ip-address.ts";
import { goQuote } from "./quote.ts";
import { inStretches } from "./stretches.ts";

export class UrlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UrlError";
  }
}

type Component = "host" | "zone" | "path" | "userPassword" | "query" | "fragment";

const ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const UNRESERVED = `${ALPHANUMERIC}-_.~`;

function byteSet(characters: string): ReadonlySet<number> {
  return new Set(Array.from(characters, (character) => character.charCodeAt(0)));
}

/** What stands for itself in each component (net/url's shouldEscape). */
const PLAIN: Readonly<Record<Component, ReadonlySet<number>>> = {
  host: byteSet(`${UNRESERVED}!$&'()*+,;=:[]<>"`),
  zone: byteSet(`${UNRESERVED}!$&'()*+,;=:[]<>"`),
  path: byteSet(`${UNRESERVED}$&+,/:;=@`),
  userPassword: byteSet(`${UNRESERVED}$&+,;=`),
  query: byteSet(UNRESERVED),
  fragment: byteSet(`${UNRESERVED}$&+,/:;=?@!()*`),
};

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) {
    return unit - 0x30;
  }
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function escapeError(text: string): UrlError {
  return new UrlError(`invalid URL escape ${goQuote(text)}`);
}

/** The byte an escape at `at` stands for. */
function escapedByte(text: string, at: number, component: Component): number {
  const code = text.slice(at, at + 3);
  const high = hexDigit(code.charCodeAt(1));
  const low = hexDigit(code.charCodeAt(2));
  if (code.length < 3 || high < 0 || low < 0) {
    throw escapeError(code);
  }
  const byte = high * 16 + low;
  if (component === "host" && high < 8 && code !== "%25") {
    throw escapeError(code);
  }
  if (component === "zone" && code !== "%25" && byte !== 0x20 && !PLAIN.host.has(byte)) {
    throw escapeError(code);
  }
  return byte;
}

/** Decodes percent-escapes; the result may hold any bytes. @throws UrlError */
export function unescapeUrl(text: string, component: Component): string {
  const isHost = component === "host" || component === "zone";
  if (!isHost && !/[%+]/.test(text)) {
    return text;
  }
  const source = bytesOf(text);
  const bytes = new Uint8Array(source.length);
  let length = 0;
  let isChanged = false;
  for (let at = 0; at < source.length; ) {
    if (length > 0 && length % bytesPerCount === 0) {
      countWork(bytesPerCount >>> 3);
    }
    const byte = source[at] ?? 0;
    if (byte === 0x25) {
      bytes[length++] = escapedByte(textOf(source.subarray(at, at + 3)), 0, component);
      isChanged = true;
      at += 3;
      continue;
    }
    const isSpace = byte === 0x2b && component === "query";
    isChanged ||= isSpace;
    if (isHost && byte < 0x80 && !PLAIN[component].has(byte)) {
      throw new UrlError(`invalid character ${goQuote(String.fromCharCode(byte))} in host name`);
    }
    bytes[length++] = isSpace ? 0x20 : byte;
    at += 1;
  }
  return isChanged ? textOf(bytes.subarray(0, length)) : text;
}

/** Bytes made between two counts. */
const bytesPerCount = 1_024;

const HEX = Buffer.from("0123456789ABCDEF");

export function escapeUrl(text: string, component: Component): string {
  const plain = PLAIN[component];
  return inStretches(text, (part) => {
    const source = bytesOf(part);
    const made = Buffer.allocUnsafe(3 * source.length);
    let length = 0;
    for (const byte of source) {
      if (plain.has(byte)) {
        made[length++] = byte;
      } else if (byte === 0x20 && component === "query") {
        made[length++] = 0x2b;
      } else {
        made[length++] = 0x25;
        made[length++] = HEX[byte >> 4] ?? 0;
        made[length++] = HEX[byte & 0x0f] ?? 0;
      }
    }
    return made.toString("latin1", 0, length);
  });
}

export interface ParsedUrl {
  readonly scheme: string;
  /** With port, brackets kept, decoded. */
  readonly host: string;
  readonly path: string;
  /** Empty when it is what encoding the path would give. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly fragment: string;
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function cutScheme(text: string): readonly [scheme: string, rest: string] {
  if (text.startsWith(":")) {
    throw new UrlError("missing protocol scheme");
  }
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*(?=:)/.exec(text)?.[0];
  return scheme === undefined ? ["", text] : [scheme.toLowerCase(), text.slice(scheme.length + 1)];
}

function isOptionalPort(text: string): boolean {
  return text === "" || /^:[0-9]*$/.test(text);
}

function refuseBadPort(port: string): void {
  if (!isOptionalPort(port)) {
    throw new UrlError(`invalid port ${goQuote(port)} after host`);
  }
}

function parseBracketed(host: string): string {
  const close = host.lastIndexOf("]");
  if (close < 0) {
    throw new UrlError("missing ']' in host");
  }
  const port = host.slice(close + 1);
  refuseBadPort(port);
  const name = host.slice(1, close);
  const zone = name.indexOf("%25");
  const decoded =
    zone < 0
      ? unescapeUrl(name, "host")
      : unescapeUrl(name.slice(0, zone), "host") + unescapeUrl(name.slice(zone), "zone");
  const address = parseAddress(decoded, true);
  if (address === undefined) {
    throw new UrlError(`invalid host: ParseAddr(${goQuote(decoded)}): unable to parse IP`);
  }
  if (address.family === 4) {
    throw new UrlError("invalid IP-literal");
  }
  return `[${decoded}]${port}`;
}

function parseHost(scheme: string, host: string): string {
  const open = host.lastIndexOf("[");
  if (open > 0) {
    throw new UrlError("invalid IP-literal");
  }
  if (open === 0) {
    return parseBracketed(host);
  }
  const strict = scheme === "http" || scheme === "https";
  const colon = strict ? host.indexOf(":") : host.lastIndexOf(":");
  if (colon >= 0) {
    refuseBadPort(host.slice(colon));
  }
  return unescapeUrl(host, "host");
}

const USERINFO = byteSet(`${UNRESERVED}:!$&'()*+,;=%@`);

function parseAuthority(scheme: string, authority: string): string {
  const at = authority.lastIndexOf("@");
  const host = parseHost(scheme, authority.slice(at + 1));
  const userinfo = at < 0 ? "" : authority.slice(0, at);
  for (const character of userinfo) {
    if (!USERINFO.has(character.codePointAt(0) ?? 0)) {
      throw new UrlError("net/url: invalid userinfo");
    }
  }
  unescapeUrl(userinfo, "userPassword");
  return host;
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit === 0x7f) {
      return true;
    }
  }
  return false;
}

function parseWithoutFragment(text: string): Omit<ParsedUrl, "fragment"> {
  if (hasControl(text)) {
    throw new UrlError("net/url: invalid control character in URL");
  }
  const nothing = { scheme: "", host: "", path: "", rawPath: "", rawQuery: "" };
  if (text === "*") {
    return { ...nothing, path: "*" };
  }
  const [scheme, afterScheme] = cutScheme(text);
  const [hierarchy, rawQuery] = cut(afterScheme, "?");
  if (!hierarchy.startsWith("/")) {
    if (scheme !== "") {
      return { ...nothing, scheme, rawQuery };
    }
    if (cut(hierarchy, "/")[0].includes(":")) {
      throw new UrlError("first path segment in URL cannot contain colon");
    }
  }
  let host = "";
  let rest = hierarchy;
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    const slash = rest.indexOf("/", 2);
    const end = slash < 0 ? rest.length : slash;
    host = parseAuthority(scheme, rest.slice(2, end));
    rest = rest.slice(end);
  }
  const path = unescapeUrl(rest, "path");
  return { scheme, host, path, rawPath: escapeUrl(path, "path") === rest ? "" : rest, rawQuery };
}

/** @throws UrlError with Go's message, `parse "…": …`. */
export function parseUrl(text: string): ParsedUrl {
  const [withoutFragment, fragment] = cut(text, "#");
  let failing = withoutFragment;
  try {
    const parsed = parseWithoutFragment(withoutFragment);
    failing = text;
    return { ...parsed, fragment: unescapeUrl(fragment, "fragment") };
  } catch (error) {
    if (error instanceof UrlError) {
      throw new UrlError(`parse ${goQuote(failing)}: ${error.message}`);
    }
    throw error;
  }
}

/** A host's name without brackets, and its port. */
export function splitHostPort(hostPort: string): readonly [host: string, port: string] {
  const colon = hostPort.lastIndexOf(":");
  const hasPort = colon >= 0 && isOptionalPort(hostPort.slice(colon));
  const host = hasPort ? hostPort.slice(0, colon) : hostPort;
  const bracketed = host.startsWith("[") && host.endsWith("]");
  return [bracketed ? host.slice(1, -1) : host, hasPort ? hostPort.slice(colon + 1) : ""];
}

/** The path as it goes over the wire. */
export function escapedPath(url: ParsedUrl): string {
  if (url.rawPath === "") {
    return url.path === "*" ? "*" : escapeUrl(url.path, "path");
  }
  const extra = byteSet("!'()*[]%");
  const valid = bytesOf(url.rawPath).every((byte) => PLAIN.path.has(byte) || extra.has(byte));
  return valid ? url.rawPath : escapeUrl(url.path, "path");
}

/** A query string's parameters, each with its values in order. @throws UrlError for the first bad one. */
export function parseQuery(query: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const part of query.split("&")) {
    countWork(4);
    if (part.includes(";")) {
      throw new UrlError("invalid semicolon separator in query");
    }
    if (part === "") {
      continue;
    }
    const [rawKey, rawValue] = cut(part, "=");
    const key = unescapeUrl(rawKey, "query");
    const value = unescapeUrl(rawValue, "query");
    const known = values.get(key);
    if (known === undefined) {
      values.set(key, [value]);
    } else {
      known.push(value);
    }
  }
  return values;
}

/** The query string of parameters, keys sorted. */
export function encodeQuery(values: ReadonlyMap<string, readonly string[]>): string {
  const keys = [...values.keys()].sort(compareStrings);
  return keys
    .flatMap((key) =>
      (values.get(key) ?? []).map((value) => `${escapeUrl(key, "query")}=${escapeUrl(value, "query")}`),
    )
    .join("&");
}
