/** One client address's handshakes with one leaf. */
export interface HandshakeCount {
  readonly remoteAddress: string;
  readonly leaf: string;
  readonly count: number;
}

/** Full handshakes by client address and leaf. Bounded: the pair not seen for longest is forgotten first. */
export class HandshakeLedger {
  readonly #counts = new Map<string, HandshakeCount>();
  readonly #capacity: number;

  constructor(capacity = 1_024) {
    this.#capacity = capacity;
  }

  record(remoteAddress: string, leaf: string): void {
    const key = `${remoteAddress} ${leaf}`;
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    this.#counts.delete(key);
    this.#counts.set(key, { remoteAddress, leaf, count });
    if (this.#counts.size <= this.#capacity) return;
    for (const oldest of this.#counts.keys()) {
      this.#counts.delete(oldest);
      break;
    }
  }

  list(): HandshakeCount[] {
    return [...this.#counts.values()];
  }
}
