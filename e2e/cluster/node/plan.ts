/**
 * Every name and address of a cluster's node network, derived from the cluster's id and one number.
 *
 * Addresses come from 198.19.0.0/16, half of what RFC 2544 sets aside for benchmarks: no real network uses it. (The
 * other half serves API servers of clusters without nodes.) Cluster number k of a machine has 198.19.(8k).0/24 for API
 * servers and nodes and 198.19.(8k+4).0/22 for Pods.
 */

/** How many clusters with nodes a machine can hold side by side. */
export const networkCount = 32;

export interface NodePlan {
  /** Name of the Node, e.g. `node-1`. */
  readonly name: string;
  readonly address: string;
  readonly podCidr: string;
  /** The host's end of the node's cable (≤ 15 characters, IFNAMSIZ). */
  readonly hostLink: string;
}

export interface NetworkPlan {
  readonly number: number;
  readonly bridge: string;
  /** A second name of the bridge; the kernel keeps names unique, so holding it means holding the number. */
  readonly claim: string;
  readonly subnet: string;
  readonly prefixLength: number;
  readonly apiServerAddresses: readonly string[];
  readonly podCidr: string;
  readonly nodes: readonly NodePlan[];
}

/** Throws RangeError for an id that is not six characters of [a-z0-9] or a number out of range. */
export function planNetwork(
  id: string,
  number: number,
  counts: { nodes: number; apiServers: number },
): NetworkPlan {
  if (!Number.isInteger(number) || number < 0 || number >= networkCount) {
    throw new RangeError(`network number ${number} is not within 0..${networkCount - 1}`);
  }
  return {
    number,
    bridge: bridgeName(id),
    claim: `shieldx-network-${number}`,
    subnet: `198.19.${8 * number}.0/24`,
    prefixLength: 24,
    apiServerAddresses: range(counts.apiServers).map((n) => `198.19.${8 * number}.${n}`),
    podCidr: `198.19.${8 * number + 4}.0/22`,
    nodes: range(counts.nodes).map((n) => ({
      name: `node-${n}`,
      address: `198.19.${8 * number}.${10 + n}`,
      podCidr: `198.19.${8 * number + 3 + n}.0/24`,
      hostLink: `${bridgeName(id)}-${n}`,
    })),
  };
}

/** Links named so, or so with a dash and more, belong to the cluster. */
export function bridgeName(id: string): string {
  if (!/^[a-z0-9]{6}$/.test(id)) {
    throw new RangeError(`cluster id ${JSON.stringify(id)} is not six characters of a-z, 0-9`);
  }
  return `sx-${id}`;
}

/** The control group of all processes of a cluster's nodes, in every hierarchy. */
export function controlGroupName(id: string): string {
  return `shieldx-${bridgeName(id).slice(3)}`;
}

/** Where to look for a free number first: different clusters start at different places. */
export function firstNumber(id: string): number {
  return Number.parseInt(id, 36) % networkCount;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
