/**
 * Addresses that names may not lead to: who can change a name's record, or a redirect, must not reach what listens on this
 * machine, nor the metadata service of a cloud, which hands out credentials.
 */
import {
  type Address,
  containsAddress,
  type Network,
  parseAddress,
  parseNetwork,
  unmapped,
} from "../builtins/go/ip-address.ts";

const LOOPBACK = networks("127.0.0.0/8", "::1/128");

const REFUSED = networks(
  // "This network" (RFC 1122, 3.2.1.3): Linux connects to itself.
  ...["0.0.0.0/8", "::/128"],
  // Link-local (RFC 3927, RFC 4291); metadata of AWS, Azure, Google and others is at 169.254.169.254.
  ...["169.254.0.0/16", "fe80::/10"],
  // Metadata and its like over IPv6: AWS, Google, Oracle, Scaleway.
  ...["fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128"],
  // Metadata of Alibaba Cloud and Oracle, and Azure's WireServer.
  ...["100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"],
  // Where an address of IPv4 sits in these depends on the network (RFC 8215), or leads through a gateway (RFC 3056).
  ...["64:ff9b:1::/48", "2002::/16"],
  // Multicast.
  ...["224.0.0.0/4", "ff00::/8"],
);

/** Networks that only some reach (RFC 1918, RFC 6598, RFC 4193). */
const PRIVATE = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7");

/** Prefixes under which the last 32 bits are an address of IPv4 (RFC 6052, RFC 4291 2.5.5.1, RFC 2765 2.1). */
const EMBEDDING = networks("64:ff9b::/96", "::/96", "::ffff:0:0:0/96");

/** Why the host's name may not lead to the address; undefined where it may. The host is as a URL spells it. */
export function refusedAddress(host: string, address: string, onlyPublic = false): string | undefined {
  const parsed = parseAddress(address, true);
  if (parsed === undefined) return `${address} is no address`;
  // A policy that lists an address means it.
  if (isLiteral(host)) return undefined;
  const meant = embedded(unmapped(parsed));
  if (isIn(LOOPBACK, meant))
    return host === "localhost" && !onlyPublic
      ? undefined
      : `${host} leads to the loopback address ${address}`;
  if (onlyPublic && isIn(PRIVATE, meant))
    return `${host} leads to ${address}, an address of a private network`;
  return isIn(REFUSED, meant)
    ? `${host} leads to ${address}, a link-local, metadata or multicast address`
    : undefined;
}

export function isLiteral(host: string): boolean {
  return host.startsWith("[") || parseAddress(host) !== undefined;
}

function embedded(address: Address): Address {
  if (address.value === 1n || address.value === 0n || !isIn(EMBEDDING, address)) return address;
  return { family: 4, value: address.value & 0xffffffffn };
}

function isIn(list: readonly Network[], address: Address): boolean {
  return list.some((network) => network.family === address.family && containsAddress(network, address));
}

function networks(...blocks: readonly string[]): readonly Network[] {
  return blocks.flatMap((block) => parseNetwork(block) ?? []);
}
