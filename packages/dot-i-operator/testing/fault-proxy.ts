import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { request } from "node:https";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
} from "node:net";
import type { Credentials } from "@shieldx/controller-runtime";

/** Plain HTTP in front of an API server, with the identity given; watches can be hurt, requests pass. */
export class FaultProxy {
  readonly #credentials: Credentials;
  readonly #server: Server;
  readonly #watches = new Set<ServerResponse>();
  #held: Promise<void> | undefined;
  #release: (() => void) | undefined;

  private constructor(credentials: Credentials) {
    this.#credentials = credentials;
    this.#server = createServer((incoming, response) => {
      this.#forward(incoming, response).catch(() => response.destroy());
    });
  }

  static async start(credentials: Credentials): Promise<FaultProxy> {
    const proxy = new FaultProxy(credentials);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get kubeconfig(): string {
    const { port } = this.#server.address() as AddressInfo;
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "proxy", cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: "nobody", user: {} }],
      contexts: [{ name: "proxy", context: { cluster: "proxy", user: "nobody" } }],
      "current-context": "proxy",
    });
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Ends every watch as a server does whose timeout came. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end();
  }

  /** Resets the connection of every watch. */
  cutWatches(): void {
    for (const watch of this.#watches) watch.destroy();
  }

  /** Puts a line into every watch. */
  inject(event: object): void {
    for (const watch of this.#watches) watch.write(`${JSON.stringify(event)}\n`);
  }

  /** Lets new lists and watches wait until {@link release}. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#held = undefined;
    this.#release?.();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const isWatch = new URL(incoming.url ?? "/", "http://proxy").searchParams.get("watch") !== null;
    if (incoming.method === "GET") await this.#held;
    const { headers, tls } = await this.#credentials.current();
    const outgoing = request(
      new URL(incoming.url ?? "/", this.#credentials.server),
      { method: incoming.method, headers: { ...incoming.headers, ...headers, host: "" }, ...tls },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        if (isWatch) this.#watches.add(response);
        answer.on("error", () => response.destroy());
        answer.pipe(response);
      },
    );
    outgoing.on("error", () => response.destroy());
    response.on("close", () => {
      this.#watches.delete(response);
      outgoing.destroy();
    });
    incoming.pipe(outgoing);
  }
}

/** Counts the connections somebody opens to a TLS server, and passes them on as they are. */
export class ConnectionCounter {
  readonly #server: TcpServer;
  connections = 0;

  private constructor(target: URL) {
    this.#server = createTcpServer((socket) => {
      this.connections++;
      const behind = connect(Number(target.port), target.hostname);
      socket.on("error", () => behind.destroy());
      behind.on("error", () => socket.destroy());
      socket.pipe(behind).pipe(socket);
    });
  }

  static async start(target: string): Promise<ConnectionCounter> {
    const counter = new ConnectionCounter(new URL(target));
    counter.#server.listen(0, "127.0.0.1");
    await once(counter.#server, "listening");
    return counter;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
  }
}
