import { byteLength } from "./go-strings.ts";
import { parseRequestUri } from "./url-parsing.ts";

/**
 * The string formats that `format.<name>()` gives policies, with the messages of the API server word for word
 * (apimachinery pkg/util/validation and pkg/api/validate/content; kube-openapi's strfmt for uuid, byte, date and
 * datetime). The expressions that messages quote are the documented ones; the checks here say the same without a
 * pattern that could backtrack.
 */

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const dns1035Label = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualifiedName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValue = `(${qualifiedName})?`;

const labelMaxBytes = 63;
const subdomainMaxBytes = 253;

/** Lengths are counted in bytes; the older of the two packages calls them characters all the same. */
const tooLong = (maximum: number, unit = "characters"): string => `must be no more than ${maximum} ${unit}`;
const empty = "must be non-empty";

function mismatch(message: string, pattern: string, ...examples: string[]): string {
  const quoted = examples.map((example) => `'${example}'`).join(",  or ");
  return `${message} (e.g. ${quoted}, regex used for validation is '${pattern}')`;
}

const isLabel = (text: string): boolean =>
  text !== "" && !/[^-a-z0-9]/.test(text) && !text.startsWith("-") && !text.endsWith("-");

const isSubdomain = (text: string): boolean => text.split(".").every(isLabel);

const isQualifiedName = (text: string): boolean =>
  /^[A-Za-z0-9]/.test(text) && /[A-Za-z0-9]$/.test(text) && !/[^-A-Za-z0-9_.]/.test(text);

const labelMismatch = mismatch(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  label,
  "my-name",
  "123-abc",
);

const subdomainMismatch = mismatch(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  subdomain,
  "example.com",
);

const dns1035Mismatch = mismatch(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  dns1035Label,
  "my-name",
  "abc-123",
);

const labelKeyMismatch = mismatch(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  qualifiedName,
  "MyName",
  "my.name",
  "123-abc",
);

const labelValueMismatch = mismatch(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  labelValue,
  "MyValue",
  "my_value",
  "12345",
);

export function dns1123LabelErrors(text: string): string[] {
  const errors = byteLength(text) > labelMaxBytes ? [tooLong(labelMaxBytes)] : [];
  if (!isLabel(text)) errors.push(isSubdomain(text) ? "must not contain dots" : labelMismatch);
  return errors;
}

export function dns1123SubdomainErrors(text: string, unit = "characters"): string[] {
  const errors = byteLength(text) > subdomainMaxBytes ? [tooLong(subdomainMaxBytes, unit)] : [];
  if (!isSubdomain(text)) errors.push(subdomainMismatch);
  return errors;
}

export function dns1035LabelErrors(text: string): string[] {
  const errors = byteLength(text) > labelMaxBytes ? [tooLong(labelMaxBytes)] : [];
  if (!isLabel(text) || /^[0-9]/.test(text)) errors.push(dns1035Mismatch);
  return errors;
}

/** A label key: a name of at most 63 bytes with an optional DNS subdomain and slash before it. */
export function qualifiedNameErrors(text: string): string[] {
  const parts = text.split("/");
  if (parts.length > 2) {
    return [
      `a valid label key ${labelKeyMismatch} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const errors = parts.length === 2 ? prefixErrors(parts[0] ?? "") : [];
  if (name === "") errors.push(`name part ${empty}`);
  else if (byteLength(name) > labelMaxBytes) errors.push(`name part ${tooLong(labelMaxBytes, "bytes")}`);
  if (!isQualifiedName(name)) errors.push(`name part ${labelKeyMismatch}`);
  return errors;
}

function prefixErrors(prefix: string): string[] {
  if (prefix === "") return [`prefix part ${empty}`];
  return dns1123SubdomainErrors(prefix, "bytes").map((error) => `prefix part ${error}`);
}

export function labelValueErrors(text: string): string[] {
  const errors = byteLength(text) > labelMaxBytes ? [tooLong(labelMaxBytes, "bytes")] : [];
  if (text !== "" && !isQualifiedName(text)) errors.push(labelValueMismatch);
  return errors;
}

/** A prefix for generated names may end in `-`, since more follows: it is checked as if a letter did. */
function asPrefix(text: string): string {
  return byteLength(text) > 1 && text.endsWith("-") ? `${text.slice(0, -2)}a` : text;
}

function uriErrors(text: string): string[] {
  const url = parseRequestUri(text);
  return "error" in url ? [url.error] : [];
}

/** Unlike `isURL`'s parser these give one fixed message. */
const fixedMessage =
  (isValid: (text: string) => boolean, message: string) =>
  (text: string): string[] =>
    isValid(text) ? [] : [message];

const isUuid = (text: string): boolean =>
  /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text);

/** Padded base64 of at least one byte (RFC 4648 §4). */
function isBase64(text: string): boolean {
  if (text === "" || text.length % 4 !== 0) return false;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return !/[^A-Za-z0-9+/]/.test(text.slice(0, text.length - padding));
}

/** `full-date` of RFC 3339 §5.6: a day that exists. */
function isDate(text: string): boolean {
  const match = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

/** `date-time` of RFC 3339 §5.6 as strfmt reads it: text from a second `t` on is not looked at. */
function isDateTime(text: string): boolean {
  const [date = "", time] = text.toLowerCase().split("t");
  if (time === undefined || !isDate(date)) return false;
  const match = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[^\n][0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})$/u.exec(time);
  if (match === null) return false;
  return Number(match[1]) <= 23 && Number(match[2]) <= 59 && Number(match[3]) <= 59;
}

export interface NameFormat {
  /** As the server names it; two formats are equal when their names are. */
  readonly name: string;
  /** What is wrong with a text, in the server's words; empty when nothing is. */
  readonly errors: (text: string) => string[];
  /** Length of the expression that the cost of `validate` is reckoned by (an estimate for formats without one). */
  readonly regexSize: number;
}

/** The formats by the name that `format.named` takes. */
export const nameFormats: ReadonlyMap<string, NameFormat> = new Map([
  ["dns1123Label", { name: "DNS1123Label", errors: dns1123LabelErrors, regexSize: 30 }],
  [
    "dns1123Subdomain",
    { name: "DNS1123Subdomain", errors: (text) => dns1123SubdomainErrors(text), regexSize: 60 },
  ],
  ["dns1035Label", { name: "DNS1035Label", errors: dns1035LabelErrors, regexSize: 30 }],
  ["qualifiedName", { name: "QualifiedName", errors: qualifiedNameErrors, regexSize: 60 }],
  [
    "dns1123LabelPrefix",
    { name: "DNS1123LabelPrefix", errors: (text) => dns1123LabelErrors(asPrefix(text)), regexSize: 30 },
  ],
  [
    "dns1123SubdomainPrefix",
    {
      name: "DNS1123SubdomainPrefix",
      errors: (text) => dns1123SubdomainErrors(asPrefix(text)),
      regexSize: 60,
    },
  ],
  [
    "dns1035LabelPrefix",
    { name: "DNS1035LabelPrefix", errors: (text) => dns1035LabelErrors(asPrefix(text)), regexSize: 30 },
  ],
  ["labelValue", { name: "LabelValue", errors: labelValueErrors, regexSize: 40 }],
  ["uri", { name: "URI", errors: uriErrors, regexSize: 1103 }],
  ["uuid", { name: "uuid", errors: fixedMessage(isUuid, "does not match the UUID format"), regexSize: 70 }],
  ["byte", { name: "byte", errors: fixedMessage(isBase64, "invalid base64"), regexSize: 84 }],
  ["date", { name: "date", errors: fixedMessage(isDate, "invalid date"), regexSize: 71 }],
  ["datetime", { name: "datetime", errors: fixedMessage(isDateTime, "invalid datetime"), regexSize: 71 }],
]);
