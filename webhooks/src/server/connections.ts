import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { fingerprintFromColons } from "@shieldx/pki/certificate";

/** What is known of an open connection. */
export interface Connection {
  readonly socket: TLSSocket;
  readonly remoteAddress: string;
  /** Fingerprint of the leaf this connection was made with. */
  readonly leaf: string;
  /** From this moment (monotonic milliseconds) on, the next answer ends the connection. */
  retireAt: number;
}

/**
 * The open connections of one server, with the leaf each was made with. A connection outlives the leaf it began with;
 * after a change of leaf it ends with one of its next answers. Idle ones are never cut: a request that is just being
 * sent would be lost, and API servers close theirs after 90 s anyway.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #perAddress = new Map<string, number>();
  readonly #spreadMs: number;
  readonly #random: () => number;

  /** @param spreadMs old connections retire over this time, so that they are not all made anew at once */
  constructor(spreadMs: number, random: () => number = Math.random) {
    this.#spreadMs = spreadMs;
    this.#random = random;
  }

  get size(): number {
    return this.#open.size;
  }

  /** How many TCP connections this address has; counted from before the handshake. */
  countOf(remoteAddress: string): number {
    return this.#perAddress.get(remoteAddress) ?? 0;
  }

  /** Counts a TCP connection until it closes. */
  accept(socket: Socket): void {
    const address = addressOf(socket);
    this.#perAddress.set(address, this.countOf(address) + 1);
    socket.once("close", () => {
      const left = this.countOf(address) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
  }

  /** Takes in a connection whose handshake is complete. */
  open(socket: TLSSocket): Connection {
    const own = socket.getX509Certificate();
    const connection: Connection = {
      socket,
      remoteAddress: addressOf(socket),
      leaf: own === undefined ? "" : fingerprintFromColons(own.fingerprint256),
      retireAt: Number.POSITIVE_INFINITY,
    };
    this.#open.set(socket, connection);
    socket.once("close", () => this.#open.delete(socket));
    return connection;
  }

  of(socket: Socket): Connection | undefined {
    return this.#open.get(socket);
  }

  /** Connections made with any other leaf end with an answer of theirs within the spread. */
  retireOthers(leaf: string, now: number): void {
    for (const connection of this.#open.values()) {
      if (connection.leaf === leaf) continue;
      connection.retireAt = Math.min(connection.retireAt, now + this.#random() * this.#spreadMs);
    }
  }
}

/** The peer's address, an IPv4 one in its own form also on a dual-stack socket. */
export function addressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? "unknown";
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
