import { CelError } from "../errors.ts";
import type { Library } from "../library.ts";
import { BOOL, listType, mapType, STRING } from "../types.ts";
import { CelMap, type CelValue } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { fromByteString } from "./go-strings.ts";
import { asInstance, asText, KubernetesValue, URL_TYPE } from "./kubernetes-types.ts";
import {
  escapedPath,
  formatUrl,
  parseRequestUri,
  parseUrl,
  queryValues,
  splitHostPort,
  type UrlPieces,
} from "./url-parsing.ts";

/** apiserver's pkg/cel/library/urls.go. */

/** What a character of a URL takes where it is written or taken apart, in units of work.ts. */
const CHARACTER_WORK = 5;

export class UrlValue extends KubernetesValue {
  readonly type = URL_TYPE;
  readonly url: UrlPieces;
  override readonly work: number;

  constructor(url: UrlPieces) {
    super();
    this.work = 1 + formatUrl(url).length * CHARACTER_WORK;
    this.url = url;
  }

  protected override equalsSameType(other: KubernetesValue): boolean {
    return other instanceof UrlValue && formatUrl(this.url) === formatUrl(other.url);
  }
}

/** What counts as a URL is asked of the stricter parser, but only the other one knows fragments. */
function toUrl(value: CelValue): UrlValue {
  const text = asText(value);
  const strict = parseRequestUri(text);
  const url = "error" in strict ? strict : parseUrl(text);
  if ("error" in url) throw new CelError(`URL parse error during conversion from string: ${url.error}`);
  return new UrlValue(url.value);
}

function accessor(name: string, id: string, read: (url: UrlPieces) => string) {
  return methods(
    name,
    shape(id, [URL_TYPE], STRING, (value = null) => fromByteString(read(asInstance(value, UrlValue).url))),
  );
}

export const urlsLibrary: Library = {
  name: "kubernetes.urls",
  functions: [
    functions(
      "url",
      shape("string_to_url", [STRING], URL_TYPE, (text = null) => toUrl(text)),
    ),
    functions(
      "isURL",
      shape("is_url_string", [STRING], BOOL, (text = null) => "value" in parseRequestUri(asText(text))),
    ),
    accessor("getScheme", "url_get_scheme", (url) => url.scheme),
    accessor("getHost", "url_get_host", (url) => url.host),
    accessor("getHostname", "url_get_hostname", (url) => splitHostPort(url.host).hostname),
    accessor("getPort", "url_get_port", (url) => splitHostPort(url.host).port),
    accessor("getEscapedPath", "url_get_escaped_path", escapedPath),
    methods(
      "getQuery",
      shape("url_get_query", [URL_TYPE], mapType(STRING, listType(STRING)), (value = null) =>
        CelMap.of(queryValues(asInstance(value, UrlValue).url.rawQuery)),
      ),
    ),
  ],
};
