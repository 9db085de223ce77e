/** The formats JSON Schema names, as OPA's internal/gojsonschema checks them; formats it does not know are no check. */

import { parseAddress } from "./go/ip-address.ts";
import { skipDigits } from "./go/number-text.ts";
import { parseTime, TimeParseError } from "./go/time-parse.ts";
import { parseUrl, UrlError } from "./go/url.ts";
import { isPattern } from "./patterns.ts";

type Format = (text: string) => boolean;

const byLayouts =
  (...layouts: readonly string[]): Format =>
  (text) =>
    layouts.some((layout) => {
      try {
        parseTime(layout, text);
        return true;
      } catch (error) {
        if (error instanceof TimeParseError) {
          return false;
        }
        throw error;
      }
    });

const isUrl =
  (absolute: boolean): Format =>
  (text) => {
    try {
      const url = parseUrl(text);
      return !text.includes("\\") && (!absolute || url.scheme !== "");
    } catch (error) {
      if (error instanceof UrlError) {
        return false;
      }
      throw error;
    }
  };

const isHostname: Format = (text) =>
  text.length <= 253 &&
  text
    .split(".")
    .every(
      (label) =>
        label.length > 0 &&
        label.length <= 63 &&
        !label.startsWith("-") &&
        !label.endsWith("-") &&
        Array.from(label.toLowerCase()).every(
          (c) => (c >= "a" && c <= "z") || (c >= "0" && c <= "9") || c === "-",
        ),
    );

/** One `@` between two parts without spaces; Go's parser of mail addresses decides more finely. */
const isEmail: Format = (text) => {
  const at = text.lastIndexOf("@");
  const local = text.slice(0, at);
  return at > 0 && at < text.length - 1 && !local.includes("@") && !Array.from(text).some((c) => c <= " ");
};

const isPointer: Format = (text) =>
  (text === "" || text.startsWith("/")) &&
  text.split("~").every((part, index) => index === 0 || part.startsWith("0") || part.startsWith("1"));

const isRelativePointer: Format = (text) => {
  const end = skipDigits(text, 0);
  const rest = text.slice(end);
  return end > 0 && !(end > 1 && text.startsWith("0")) && (rest === "#" || isPointer(rest));
};

const isUuid: Format = (text) =>
  text.length === 36 &&
  Array.from(text.toLowerCase()).every((c, at) =>
    at === 8 || at === 13 || at === 18 || at === 23 ? c === "-" : "0123456789abcdef".includes(c),
  );

/** Braces of a URI template are balanced and do not nest. */
const isUriTemplate: Format = (text) => {
  let open = false;
  for (const character of text) {
    if (character === "{" || character === "}") {
      if (open === (character === "{")) {
        return false;
      }
      open = character === "{";
    }
  }
  return !open;
};

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ["date", byLayouts("2006-01-02")],
  ["time", byLayouts("15:04:05", "15:04:05Z07:00")],
  ["date-time", byLayouts("15:04:05", "15:04:05Z07:00", "2006-01-02", "2006-01-02T15:04:05Z07:00")],
  ["hostname", isHostname],
  ["email", isEmail],
  ["idn-email", isEmail],
  ["ipv4", (text) => parseAddress(text)?.family === 4],
  ["ipv6", (text) => parseAddress(text)?.family === 6],
  ["uri", isUrl(true)],
  ["uri-reference", isUrl(false)],
  ["iri", isUrl(true)],
  ["iri-reference", isUrl(false)],
  ["uri-template", isUriTemplate],
  ["uuid", isUuid],
  ["regex", isPattern],
  ["json-pointer", isPointer],
  ["relative-json-pointer", isRelativePointer],
]);

export function hasFormat(format: string, text: string): boolean {
  return FORMATS.get(format)?.(text) ?? true;
}
