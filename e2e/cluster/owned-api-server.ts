/** API servers of a cluster that this process owns, and can therefore take down and bring back. */
import { type ApiServer, serverUrl } from "./cluster.ts";
import type { ServerAddress } from "./control-plane/addresses.ts";
import type { KeyPairPem } from "./control-plane/certificates.ts";
import type { Component } from "./control-plane/component.ts";
import { Endpoint } from "./control-plane/endpoint.ts";
import { publishServer, withdrawServer } from "./service-endpoints.ts";

export class OwnedApiServer implements ApiServer {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly endpoint: Endpoint;
  readonly component: Component;

  constructor(server: ServerAddress, component: Component, caPem: string, admin: KeyPairPem) {
    this.url = serverUrl(server);
    this.address = server.address;
    this.port = server.port;
    this.component = component;
    this.endpoint = new Endpoint(this.url, caPem, admin);
  }

  get pid(): number | undefined {
    return this.component.pid;
  }

  async stop(): Promise<void> {
    await this.component.stop("SIGTERM", 30_000);
  }

  async kill(): Promise<void> {
    await this.component.stop("SIGKILL");
  }

  async start(): Promise<void> {
    await this.component.start();
    await this.component.ready(this.endpoint, "/readyz");
  }
}

/** Keeps the EndpointSlices of servers that share an address in step with what runs. */
export function withSlices(apiServers: readonly OwnedApiServer[]): ApiServer[] {
  return apiServers.map((server, index) => {
    const withdraw = async (): Promise<void> => {
      const other = apiServers.find((candidate) => candidate.pid !== undefined);
      if (other) await withdrawServer(other.endpoint, index);
    };
    return {
      url: serverUrl(server),
      address: server.address,
      port: server.port,
      get pid() {
        return server.pid;
      },
      stop: async () => {
        await server.stop();
        await withdraw();
      },
      kill: async () => {
        await server.kill();
        await withdraw();
      },
      start: async () => {
        await server.start();
        await publishServer(server.endpoint, index, server);
      },
    };
  });
}
