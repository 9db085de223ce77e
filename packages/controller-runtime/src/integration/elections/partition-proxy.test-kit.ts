import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "to the server" | "to the client";

/** What happens at the end of a partition to the bytes it held back. */
export type Healing = "late" | "reset";

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly held: Record<Direction, Buffer[]>;
}

/**
 * The network between one candidate and its API server, TLS passing through untouched. A direction that is cut
 * holds bytes back; when it heals they arrive late, or the connections are reset. What was held for a connection
 * that its owner has closed meanwhile is gone.
 */
export class PartitionProxy implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #cut: ReadonlySet<Direction> = new Set();

  private constructor(server: Server, target: URL) {
    const { port } = server.address() as AddressInfo;
    this.url = `https://${target.hostname}:${port}`;
    this.#server = server;
    server.on("connection", (client) => this.#link(client, target));
  }

  static async start(serverUrl: string): Promise<PartitionProxy> {
    const target = new URL(serverUrl);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, target.hostname, resolve));
    return new PartitionProxy(server, target);
  }

  cut(directions: readonly Direction[]): void {
    this.#cut = new Set(directions);
  }

  heal(healing: Healing): void {
    this.#cut = new Set();
    for (const { client, server, held } of this.#links) {
      const isAffected = held["to the server"].length + held["to the client"].length > 0;
      if (healing === "reset" && isAffected) {
        client.resetAndDestroy();
        server.destroy();
        continue;
      }
      for (const bytes of held["to the server"].splice(0)) server.write(bytes);
      for (const bytes of held["to the client"].splice(0)) client.write(bytes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of this.#links) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #link(client: Socket, target: URL): void {
    const server = connect({ host: target.hostname, port: Number(target.port) });
    const link: Link = { client, server, held: { "to the server": [], "to the client": [] } };
    this.#links.add(link);
    const end = (): void => {
      this.#links.delete(link);
      client.destroy();
      server.destroy();
    };
    const carry = (from: Socket, to: Socket, direction: Direction): void => {
      from.on("data", (bytes: Buffer) => {
        if (this.#cut.has(direction) || link.held[direction].length > 0) link.held[direction].push(bytes);
        else to.write(bytes);
      });
      from.on("error", end).on("close", end);
    };
    carry(client, server, "to the server");
    carry(server, client, "to the client");
  }
}
