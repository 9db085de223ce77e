import type { Dispatcher } from "undici";
import type { ClientAuth } from "../credentials/credentials.ts";
import type { Logger } from "../kubernetes/logger.ts";
import { type ConnectionLimits, type Connections, openConnections } from "./connections.ts";

/** Connections by TLS identity: when it changes, new requests go to new connections and the old ones drain. */
export class ConnectionPool {
  readonly #limits: ConnectionLimits;
  readonly #logger: Logger;
  #current: Connections | undefined;
  #closed = false;
  readonly #draining = new Set<Connections>();

  constructor(limits: ConnectionLimits, logger: Logger) {
    this.#limits = limits;
    this.#logger = logger;
  }

  requests(tls: ClientAuth["tls"]): Dispatcher {
    return this.#connectionsFor(tls).requests;
  }

  streams(tls: ClientAuth["tls"]): Dispatcher {
    return this.#connectionsFor(tls).streams;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#draining, ...(this.#current === undefined ? [] : [this.#current])];
    await Promise.all(open.map((connections) => connections.destroy()));
  }

  #connectionsFor(tls: ClientAuth["tls"]): Connections {
    const current = this.#current;
    if (current !== undefined && current.tls === tls) return current;
    if (this.#closed) throw new DOMException("the client is closed", "AbortError");
    if (current !== undefined) this.#drain(current);
    this.#current = openConnections(tls, this.#limits);
    return this.#current;
  }

  #drain(old: Connections): void {
    this.#draining.add(old);
    old
      .drain()
      .catch((error: unknown) => this.#logger.debug({ err: error }, "closing replaced connections failed"))
      .finally(() => this.#draining.delete(old));
  }
}
