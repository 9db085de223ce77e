import { CelError } from "../errors.ts";
import type { Library } from "../library.ts";
import { BOOL, INT, STRING, typeType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { quote } from "./go-strings.ts";
import { parsePlainAddress } from "./ip.ts";
import { asInstance, asText, CIDR, IP, noSuchOverload } from "./kubernetes-types.ts";
import {
  formatPrefix,
  type IpPrefix,
  isIPv4Mapped,
  maskPrefix,
  parsePrefix,
  prefixContains,
} from "./network-address.ts";
import { IpValue, PrefixValue } from "./network-values.ts";
import { type Parsed, unparsed } from "./parsed.ts";

/** apiserver's pkg/cel/library/cidr.go. Bits beyond the prefix may be set; `masked()` clears them. */

const whileConverting = "network address parse error during conversion from string: ";

function parsePlainPrefix(text: string): Parsed<IpPrefix> {
  const prefix = parsePrefix(text);
  if ("error" in prefix) return unparsed(whileConverting + prefix.error);
  if (isIPv4Mapped(prefix.value.address)) {
    return unparsed(`IPv4-mapped IPv6 address ${quote(text)} is not allowed`);
  }
  return prefix;
}

/** The prefix in a string. The server says twice what it was doing when that fails. */
function toPrefix(value: CelValue): IpPrefix {
  const prefix = parsePlainPrefix(asText(value));
  if ("error" in prefix) throw new CelError(whileConverting + prefix.error);
  return prefix.value;
}

const prefixOf = (value: CelValue): IpPrefix => asInstance(value, PrefixValue).prefix;

/** Text that is no address is, for the server, an argument of the wrong type, and not told apart further. */
function containsText(prefix: IpPrefix, text: string): boolean {
  const address = parsePlainAddress(text);
  if ("error" in address) throw noSuchOverload();
  return prefixContains(prefix, address.value);
}

function containsPrefix(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}

export const cidrLibrary: Library = {
  name: "kubernetes.net.cidr",
  functions: [
    functions(
      "cidr",
      shape("string_to_cidr", [STRING], CIDR, (text = null) => new PrefixValue(toPrefix(text))),
    ),
    functions(
      "isCIDR",
      shape("is_cidr", [STRING], BOOL, (text = null) => "value" in parsePlainPrefix(asText(text))),
    ),
    functions(
      "string",
      shape("cidr_to_string", [CIDR], STRING, (value = null) => formatPrefix(prefixOf(value))),
    ),
    methods(
      "containsIP",
      shape("cidr_contains_ip_string", [CIDR, STRING], BOOL, (prefix = null, text = null) =>
        containsText(prefixOf(prefix), asText(text)),
      ),
      shape("cidr_contains_ip_ip", [CIDR, IP], BOOL, (prefix = null, ip = null) =>
        prefixContains(prefixOf(prefix), asInstance(ip, IpValue).address),
      ),
    ),
    methods(
      "containsCIDR",
      shape("cidr_contains_cidr_string", [CIDR, STRING], BOOL, (outer = null, text = null) =>
        containsPrefix(prefixOf(outer), toPrefix(text)),
      ),
      shape("cidr_contains_cidr", [CIDR, CIDR], BOOL, (outer = null, inner = null) =>
        containsPrefix(prefixOf(outer), prefixOf(inner)),
      ),
    ),
    methods(
      "ip",
      shape("cidr_ip", [CIDR], IP, (value = null) => new IpValue(prefixOf(value).address)),
    ),
    methods(
      "prefixLength",
      shape("cidr_prefix_length", [CIDR], INT, (value = null) => prefixOf(value).length),
    ),
    methods(
      "masked",
      shape("cidr_masked", [CIDR], CIDR, (value = null) => new PrefixValue(maskPrefix(prefixOf(value)))),
    ),
  ],
  constants: [{ name: CIDR.name, type: typeType(CIDR), value: CIDR }],
};
