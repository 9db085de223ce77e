import { CIDR, IP, KubernetesValue } from "./kubernetes-types.ts";
import type { IpAddress, IpPrefix } from "./network-address.ts";

export class IpValue extends KubernetesValue {
  readonly type = IP;
  readonly address: IpAddress;

  constructor(address: IpAddress) {
    super();
    this.address = address;
  }

  protected override equalsSameType(other: KubernetesValue): boolean {
    return other instanceof IpValue && sameAddress(this.address, other.address);
  }
}

/** Two prefixes are equal when their addresses are, bits beyond the length included. */
export class PrefixValue extends KubernetesValue {
  readonly type = CIDR;
  readonly prefix: IpPrefix;

  constructor(prefix: IpPrefix) {
    super();
    this.prefix = prefix;
  }

  protected override equalsSameType(other: KubernetesValue): boolean {
    return (
      other instanceof PrefixValue &&
      this.prefix.length === other.prefix.length &&
      sameAddress(this.prefix.address, other.prefix.address)
    );
  }
}

function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.width === b.width && a.bits === b.bits;
}
