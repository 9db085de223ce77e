/** One HTTPS endpoint of the control plane, with the server's certificate verified against the cluster's CA. */
import { Agent, request } from "node:https";
import type { KeyPairPem } from "./certificates.ts";

export interface EndpointAnswer {
  readonly status: number;
  readonly body: string;
}

export class Endpoint {
  readonly url: string;
  readonly #agent: Agent;

  constructor(url: string, caPem: string, client?: KeyPairPem) {
    this.url = url;
    this.#agent = new Agent({
      keepAlive: true,
      ca: caPem,
      ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    });
  }

  async get(path: string): Promise<EndpointAnswer> {
    return await this.send("GET", path);
  }

  async send(method: string, path: string, body?: unknown): Promise<EndpointAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<EndpointAnswer>();
    const outgoing = request(
      new URL(path, this.url),
      {
        method,
        agent: this.#agent,
        timeout: 10_000,
        headers: body === undefined ? {} : { "content-type": "application/json" },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    outgoing.once("timeout", () => outgoing.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
    outgoing.once("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}
