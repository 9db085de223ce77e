import { CelError } from "../errors.ts";
import type { FunctionDeclaration, Library } from "../library.ts";
import { BOOL, INT, STRING, typeType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { quote } from "./go-strings.ts";
import { asInstance, asText, IP } from "./kubernetes-types.ts";
import {
  formatAddress,
  type IpAddress,
  isGlobalUnicast,
  isIPv4Mapped,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isUnspecified,
  parseAddress,
} from "./network-address.ts";
import { IpValue } from "./network-values.ts";
import { type Parsed, unparsed } from "./parsed.ts";

/** apiserver's pkg/cel/library/ip.go: addresses without zone, and no IPv4 address in IPv6 clothes. */
export function parsePlainAddress(text: string): Parsed<IpAddress> {
  const address = parseAddress(text);
  if ("error" in address) {
    return unparsed(`IP Address ${quote(text)} parse error during conversion from string: ${address.error}`);
  }
  if (address.value.zone !== "") return unparsed(`IP address ${quote(text)} with zone value is not allowed`);
  if (isIPv4Mapped(address.value)) return unparsed(`IPv4-mapped IPv6 address ${quote(text)} is not allowed`);
  return address;
}

/** The address in a string; throws CelError. */
export function toAddress(value: CelValue): IpAddress {
  const address = parsePlainAddress(asText(value));
  if ("error" in address) throw new CelError(address.error);
  return address.value;
}

function predicate(name: string, id: string, holds: (address: IpAddress) => boolean): FunctionDeclaration {
  return methods(
    name,
    shape(id, [IP], BOOL, (value = null) => holds(asInstance(value, IpValue).address)),
  );
}

export const ipLibrary: Library = {
  name: "kubernetes.net.ip",
  functions: [
    functions(
      "ip",
      shape("string_to_ip", [STRING], IP, (text = null) => new IpValue(toAddress(text))),
    ),
    functions(
      "isIP",
      shape("is_ip", [STRING], BOOL, (text = null) => "value" in parsePlainAddress(asText(text))),
    ),
    functions(
      "ip.isCanonical",
      shape("ip_is_canonical", [STRING], BOOL, (text = null) => formatAddress(toAddress(text)) === text),
    ),
    functions(
      "string",
      shape("ip_to_string", [IP], STRING, (value = null) =>
        formatAddress(asInstance(value, IpValue).address),
      ),
    ),
    methods(
      "family",
      shape("ip_family", [IP], INT, (value = null) =>
        asInstance(value, IpValue).address.width === 32 ? 4 : 6,
      ),
    ),
    predicate("isUnspecified", "ip_is_unspecified", isUnspecified),
    predicate("isLoopback", "ip_is_loopback", isLoopback),
    predicate("isLinkLocalMulticast", "ip_is_link_local_multicast", isLinkLocalMulticast),
    predicate("isLinkLocalUnicast", "ip_is_link_local_unicast", isLinkLocalUnicast),
    predicate("isGlobalUnicast", "ip_is_global_unicast", isGlobalUnicast),
  ],
  constants: [{ name: IP.name, type: typeType(IP), value: IP }],
};
