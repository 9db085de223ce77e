/** Where the API servers listen, so that every one of them can be reached at the address it publishes. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { ClusterError, systemErrorCode } from "../errors.ts";
import { localAddresses, pickLoopbackAddress } from "../loopback-address.ts";

export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * How the addresses of the `kubernetes` EndpointSlice come about.
 * - `lease`: by the API servers themselves; needs one address each and one port for all.
 * - `written`: the servers share an address, so this library writes one EndpointSlice per server.
 * - `absent`: this machine has no address but loopback ones, which an EndpointSlice may not hold.
 */
export type Publication = "lease" | "written" | "absent";

export interface AddressPlan {
  readonly servers: readonly ServerAddress[];
  readonly publication: Publication;
  /** Addresses to put on the loopback interface first, and to take off again. */
  readonly loopbackAddresses: readonly string[];
}

export interface AddressInputs {
  readonly count: number;
  /** Addresses the node half has set up; they decide when there are any. */
  readonly prepared: readonly string[];
  readonly canAddLoopbackAddress: boolean;
  /** IPv4 addresses of this machine that may stand in an EndpointSlice. */
  readonly published: readonly string[];
  readonly taken: ReadonlySet<string>;
  readonly random: (max: number) => number;
  /** A port that is free on all of these addresses. */
  readonly freePort: (addresses: readonly string[]) => Promise<number>;
}

const standardPort = 6443;

export async function planAddresses(inputs: AddressInputs): Promise<AddressPlan> {
  const { count } = inputs;
  if (inputs.prepared.length > 0) {
    const servers = inputs.prepared.slice(0, count).map((address) => ({ address, port: standardPort }));
    return { servers, publication: "lease", loopbackAddresses: [] };
  }
  if (inputs.canAddLoopbackAddress) {
    const taken = new Set(inputs.taken);
    const addresses = Array.from({ length: count }, () => {
      const address = pickLoopbackAddress(taken, inputs.random);
      taken.add(address);
      return address;
    });
    const servers = addresses.map((address) => ({ address, port: standardPort }));
    return { servers, publication: "lease", loopbackAddresses: addresses };
  }
  if (inputs.published.length >= count) {
    const addresses = inputs.published.slice(0, count);
    const port = await inputs.freePort(addresses);
    return {
      servers: addresses.map((address) => ({ address, port })),
      publication: "lease",
      loopbackAddresses: [],
    };
  }
  const address = inputs.published[0] ?? "127.0.0.1";
  const servers: ServerAddress[] = [];
  for (let index = 0; index < count; index++)
    servers.push({ address, port: await inputs.freePort([address]) });
  return { servers, publication: inputs.published.length > 0 ? "written" : "absent", loopbackAddresses: [] };
}

/** The inputs of this machine, for `count` servers. */
export function machineInputs(
  count: number,
  prepared: readonly string[],
  canAddLoopbackAddress: boolean,
): AddressInputs {
  return {
    count,
    prepared,
    canAddLoopbackAddress,
    published: Object.values(networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .filter((entry) => entry.family === "IPv4" && !entry.internal && !entry.address.startsWith("169.254."))
      .map((entry) => entry.address),
    taken: localAddresses(),
    random: randomInt,
    freePort,
  };
}

/** The address etcd and the controllers listen on. On Linux all of 127.0.0.0/8 is local, so each cluster has its own. */
export function privateAddress(random: (max: number) => number = randomInt): string {
  return process.platform === "linux"
    ? `127.${1 + random(254)}.${random(256)}.${1 + random(254)}`
    : "127.0.0.1";
}

const given = new Set<number>();

/**
 * A port between 20000 and 29999 that is free on all the addresses: below the range the kernel takes ports for outgoing
 * connections from, and off the node ports. Never hands out the same one twice in this process.
 */
export async function freePort(addresses: readonly string[]): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 20_000 + randomInt(10_000);
    if (given.has(port)) continue;
    const free = await Promise.all(addresses.map((address) => isFree(address, port)));
    if (!free.includes(false)) {
      given.add(port);
      return port;
    }
  }
  throw new ClusterError("PREREQUISITE", `no free port between 20000 and 29999 on ${addresses.join(", ")}`);
}

async function isFree(host: string, port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error) => (systemErrorCode(error) === "EADDRINUSE" ? resolve(false) : reject(error)));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}
