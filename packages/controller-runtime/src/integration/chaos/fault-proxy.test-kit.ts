import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Cluster } from "@shieldx/e2e/cluster";
import type { Lane } from "./delivery.test-kit.ts";
import { FaultLane } from "./fault-lane.test-kit.ts";
import type { Fault, FaultKind } from "./fault-schedule.test-kit.ts";
import { refusalOf } from "./refusals.test-kit.ts";
import { rememberConnections, resetConnection } from "./reset.test-kit.ts";
import { WatchTampering, writeSlowly } from "./watch-tampering.test-kit.ts";

export interface FaultProxyOptions {
  readonly cluster: Cluster;
  readonly lanes: readonly Lane[];
  readonly seed: number;
  /** Makes etcd forget what this lane's informer last saw; resolves when it has. */
  compact(lane: number): Promise<void>;
}

/**
 * Stands between the informers and the API servers: ends their TLS with a certificate of the cluster's own CA, and
 * does to their lists and watches what the schedule says. Each request goes to any of the servers, as behind a load
 * balancer.
 */
export class FaultProxy implements AsyncDisposable {
  readonly url: string;
  readonly counts = new Map<FaultKind, number>();
  /** No more faults from here on. */
  isCalm = false;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #cluster: Cluster;
  readonly #lanes: ReadonlyMap<string, FaultLane>;
  readonly #compact: (lane: number) => Promise<void>;
  #turn = 0;

  private constructor(server: Server, options: FaultProxyOptions) {
    const { cluster, lanes, seed } = options;
    const { address, port } = server.address() as AddressInfo;
    this.url = `https://${address}:${port}`;
    this.#server = server;
    this.#cluster = cluster;
    this.#compact = options.compact;
    this.#agent = new Agent({ keepAlive: true, ca: cluster.caPem });
    const count = (kind: FaultKind): void => this.count(kind);
    this.#lanes = new Map(
      lanes.map(({ namespace }, index) => [namespace, new FaultLane(index, seed, count)]),
    );
    server.on("request", (incoming, response) => {
      this.#handle(incoming, response).catch(() => resetConnection(response));
    });
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const pki = (file: string): Promise<string> => readFile(join(options.cluster.dir, "pki", file), "utf8");
    const server = createServer({ key: await pki("apiserver.key"), cert: await pki("apiserver.crt") });
    const host = options.cluster.apiServers[0]?.address;
    rememberConnections(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return new FaultProxy(server, options);
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", this.url);
    const lane = this.#lanes.get(/\/namespaces\/([^/]+)\//.exec(url.pathname)?.[1] ?? "");
    const isWatch = url.searchParams.has("watch");
    if (lane === undefined || this.isCalm) return this.#pass(incoming, response, undefined);
    const { hold } = lane;
    lane.hold = undefined;
    await hold;
    if (response.destroyed) return;
    const fault = lane.dueAt(isWatch ? "open watch" : "open list");
    if (fault !== undefined) {
      const { status, headers, body } = refusalOf(fault);
      response.writeHead(status, headers).end(body);
      lane.struck();
      return;
    }
    return this.#pass(incoming, response, isWatch ? lane : undefined, isWatch ? undefined : lane);
  }

  /** Forwards; a connection to the server that fails becomes one that fails to the client. */
  async #pass(
    incoming: IncomingMessage,
    response: ServerResponse,
    watching: FaultLane | undefined,
    listing?: FaultLane,
  ): Promise<void> {
    const upstream = await this.#open(incoming);
    response.once("close", () => upstream.destroy());
    const { "content-length": _length, "transfer-encoding": _encoding, ...headers } = upstream.headers;
    response.writeHead(upstream.statusCode ?? 502, headers);
    response.flushHeaders();
    if (watching !== undefined && upstream.statusCode === 200) {
      const tampering = new WatchTampering(response, watching, {
        isCalm: () => this.isCalm,
        compact: () => this.#compact(watching.index),
      });
      await tampering.relay(upstream);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of upstream) chunks.push(chunk as Buffer);
    const fault = upstream.statusCode === 200 ? listing?.dueAt("list body") : undefined;
    const body = Buffer.concat(chunks);
    if (fault === undefined) {
      response.end(body);
      return;
    }
    listing?.struck();
    await tamperWithBody(response, body, fault);
  }

  #open(incoming: IncomingMessage): Promise<IncomingMessage> {
    const { apiServers } = this.#cluster;
    const server = apiServers[this.#turn++ % apiServers.length];
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(incoming.url ?? "/", server?.url),
        {
          agent: this.#agent,
          method: incoming.method ?? "GET",
          headers: { ...incoming.headers, host: server?.address },
        },
        resolve,
      );
      outgoing.once("error", reject);
      incoming.pipe(outgoing);
    });
  }
}

async function tamperWithBody(response: ServerResponse, body: Buffer, fault: Fault): Promise<void> {
  const part = body.subarray(0, Math.floor(body.length * fault.cut));
  if (fault.kind === "truncated JSON") {
    response.end(part);
  } else if (fault.kind === "reset mid-line") {
    response.write(part, () => resetConnection(response));
  } else {
    await writeSlowly(response, body, 400);
    response.end();
  }
}
