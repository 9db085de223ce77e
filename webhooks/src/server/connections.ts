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
  /** Requests under way on it. */
  active: number;
  /** When the last request on it ended, or the handshake; monotonic milliseconds. */
  idleSince: number;
}

/** A connection idle for less than this may be about to be used again. */
const shortestIdleMs = 2_000;

/**
 * The open connections of one server, with the leaf each was made with. A connection outlives the leaf it began with;
 * after a change of leaf it ends with one of its next answers. Idle ones are never cut: a request that is just being
 * sent would be lost, and API servers close theirs after 90 s anyway.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #perAddress = new Map<string, number>();
  readonly #spreadMs: number;
  #accepted = 0;
  readonly #random: () => number;

  /** @param spreadMs old connections retire over this time, so that they are not all made anew at once */
  constructor(spreadMs: number, random: () => number = Math.random) {
    this.#spreadMs = spreadMs;
    this.#random = random;
  }

  get size(): number {
    return this.#open.size;
  }

  /** All TCP connections, also those whose handshake is not complete. */
  get accepted(): number {
    return this.#accepted;
  }

  /** How many TCP connections this address has; counted from before the handshake. */
  countOf(remoteAddress: string): number {
    return this.#perAddress.get(remoteAddress) ?? 0;
  }

  /** Counts a TCP connection until it closes. */
  accept(socket: Socket): void {
    const address = addressOf(socket);
    this.#accepted++;
    this.#perAddress.set(address, this.countOf(address) + 1);
    socket.once("close", () => {
      this.#accepted--;
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
      active: 0,
      idleSince: performance.now(),
    };
    this.#open.set(socket, connection);
    socket.once("close", () => this.#open.delete(socket));
    return connection;
  }

  of(socket: Socket): Connection | undefined {
    return this.#open.get(socket);
  }

  /** A request begins on this connection. Returns what is to be called when it has ended. */
  begin(connection: Connection | undefined): () => void {
    if (connection === undefined) return () => undefined;
    connection.active++;
    return () => {
      connection.active--;
      connection.idleSince = performance.now();
    };
  }

  /**
   * Ends the connection that has been idle for longest, of one address or of all. After each change of a webhook
   * configuration an API server connects anew and leaves its old connections idle for 90 s; they must not be what
   * keeps a new one out.
   * @returns whether there was one
   */
  endIdle(now: number, remoteAddress?: string): boolean {
    let longest: Connection | undefined;
    for (const connection of this.#open.values()) {
      if (connection.active > 0 || connection.idleSince > now - shortestIdleMs) continue;
      if (remoteAddress !== undefined && connection.remoteAddress !== remoteAddress) continue;
      if (longest === undefined || connection.idleSince < longest.idleSince) longest = connection;
    }
    if (longest === undefined) return false;
    this.#open.delete(longest.socket);
    longest.socket.destroy();
    return true;
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
