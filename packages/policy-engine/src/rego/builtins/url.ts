/** `urlquery.*` and `uri.*` (OPA's v1/topdown/encoding.go, uri.go). */
import { isArray, isObject, isSet, RegoObject, type RegoValue } from "../values.ts";
import type { Builtin } from "./contract.ts";
import { jsonEntries } from "./go/json-text.ts";
import {
  encodeQuery,
  escapeUrl,
  parseQuery,
  parseUrl,
  splitHostPort,
  UrlError,
  unescapeUrl,
} from "./go/url.ts";
import { refuseLongText } from "./limits.ts";
import { builtin, failure, listOf, operand, operandError, textOperand, wrongType } from "./operands.ts";

function withUrlErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof UrlError ? failure(error.message, error) : error;
  }
}

function urlText(args: readonly RegoValue[], spend: (units: number) => void): string {
  const text = textOperand(args, 1);
  refuseLongText(text.length * 3);
  spend(1 + Math.floor(text.length / 4));
  return text;
}

function parameterValues(value: RegoValue): readonly string[] {
  const list = typeof value === "string" ? [value] : listOf(value);
  if (list === undefined) {
    throw operandError(1, "values must be string, array[string], or set[string]");
  }
  return list.map((item) => {
    if (typeof item !== "string") {
      throw operandError(1, "values must be string, array[string], or set[string]");
    }
    return item;
  });
}

function encodeObject(value: RegoValue): string {
  if (!isObject(value) || isArray(value) || isSet(value)) {
    throw wrongType(1, value, "object");
  }
  const query = encodeQuery(new Map(jsonEntries(value).map(([key, item]) => [key, parameterValues(item)])));
  refuseLongText(query.length);
  return query;
}

/** The parts that are there; `raw_path` accompanies every path. */
function parseUri(text: string): RegoValue {
  const url = withUrlErrors(() => parseUrl(text));
  const [hostname, port] = splitHostPort(url.host);
  const parts: readonly (readonly [string, string])[] = [
    ["scheme", url.scheme],
    ["hostname", hostname],
    ["port", port],
    ["path", url.path],
    ["raw_path", url.path === "" ? "" : url.rawPath || url.path],
    ["raw_query", url.rawQuery],
    ["fragment", url.fragment],
  ];
  return Object.fromEntries(parts.filter(([, value]) => value !== ""));
}

function isUri(value: RegoValue): boolean {
  if (typeof value !== "string" || value === "") {
    return false;
  }
  try {
    parseUrl(value);
    return true;
  } catch (error) {
    if (error instanceof UrlError) {
      return false;
    }
    throw error;
  }
}

export const urlBuiltins: readonly Builtin[] = [
  builtin("urlquery.encode", 1, (args, context) => escapeUrl(urlText(args, context.spend), "query")),
  builtin("urlquery.decode", 1, (args, context) => {
    const text = urlText(args, context.spend);
    return withUrlErrors(() => unescapeUrl(text, "query"));
  }),
  builtin("urlquery.encode_object", 1, (args) => encodeObject(operand(args, 1))),
  builtin("urlquery.decode_object", 1, (args, context) => {
    const text = urlText(args, context.spend);
    return new RegoObject(withUrlErrors(() => parseQuery(text)));
  }),
  builtin("uri.parse", 1, (args, context) => parseUri(urlText(args, context.spend))),
  builtin("uri.is_valid", 1, (args, context) => {
    const text = operand(args, 1);
    if (typeof text === "string") context.spend(1 + Math.floor(text.length / 4));
    return isUri(text);
  }),
];
