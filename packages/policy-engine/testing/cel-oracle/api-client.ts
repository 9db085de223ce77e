/** A connection to a real API server that, unlike kubectl, answers in milliseconds and keeps the Warning headers. */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";

export interface ApiAnswer {
  readonly status: number;
  /** The JSON that came back: an object of the asked kind, or a Status. */
  readonly body: unknown;
  /** Texts of the Warning headers (RFC 7234 §5.5), unquoted. */
  readonly warnings: readonly string[];
  /** Names the request's events in the audit log. */
  readonly auditId: string | undefined;
}

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly "certificate-authority-data": string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string } },
  ];
}

export class ApiClient {
  readonly #server: string;
  readonly #agent: Agent;

  constructor(server: string, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  /** Reads a kubeconfig written as JSON with everything inside, as the test cluster writes it. */
  static async fromKubeconfig(path: string): Promise<ApiClient> {
    const { clusters, users } = JSON.parse(await readFile(path, "utf8")) as Kubeconfig;
    const pem = (base64: string) => Buffer.from(base64, "base64");
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 8,
      ca: pem(clusters[0].cluster["certificate-authority-data"]),
      cert: pem(users[0].user["client-certificate-data"]),
      key: pem(users[0].user["client-key-data"]),
    });
    return new ApiClient(clusters[0].cluster.server, agent);
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    more: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
    const headers = { ...more, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const outgoing = request(
      new URL(path, this.#server),
      { method, agent: this.#agent, timeout: 60_000, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          const text = Buffer.concat(chunks).toString();
          const warnings = (response.headersDistinct.warning ?? []).map(warningText);
          const auditId = response.headersDistinct["audit-id"]?.[0];
          resolve({ status: response.statusCode ?? 0, body: parseBody(text), warnings, auditId });
        });
      },
    );
    outgoing.once("timeout", () => outgoing.destroy(new Error(`${method} ${path}: no answer within 60 s`)));
    outgoing.once("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  }

  /** Like `send`; anything but a success is an error that carries the server's message. */
  async demand(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const answer = await this.send(method, path, body);
    if (answer.status >= 400)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `299 - "text"` as `text`. Node reads headers as Latin-1; the server writes UTF-8. */
function warningText(header: string): string {
  const quoted = Buffer.from(header.slice(header.indexOf('"')), "latin1").toString("utf8");
  return quoted.slice(1, -1).replaceAll(/\\([\s\S])/g, "$1");
}
