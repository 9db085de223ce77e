// What the tests of the HTTPS server share: an authority, leaves, requests over real sockets.
import { once } from "node:events";
import { Agent, request as httpsRequest } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { silentLogger } from "@shieldx/controller-runtime";
import { generateCa, issueLeaf, type KeyPair } from "@shieldx/pki";
import { Registry } from "prom-client";
import { BodyBudget, type BodyLimits, defaultBodyLimits } from "./body.ts";
import { WebhookMetrics } from "./metrics.ts";
import {
  type AdmissionHandler,
  type ServerLimits,
  WebhookServer,
  type WebhookServerOptions,
} from "./webhook-server.ts";

const day = 86_400_000;

export async function newAuthority(): Promise<KeyPair> {
  return generateCa({ commonName: "test", now: Date.now(), lifetimeMs: day });
}

export async function newLeaf(
  ca: KeyPair,
  usages: readonly ("server" | "client")[] = ["server"],
): Promise<KeyPair> {
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  return issueLeaf({ ca, ...names, usages, now: Date.now(), lifetimeMs: day });
}

export function review(request: object = {}, object: object = { kind: "Pod" }): Record<string, unknown> {
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "6f9d",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      name: "web",
      namespace: "default",
      operation: "CREATE",
      userInfo: { username: "alice", groups: ["system:authenticated"] },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions" },
      ...request,
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface TestServer extends AsyncDisposable {
  readonly server: WebhookServer;
  readonly registry: Registry;
  readonly budget: BodyBudget;
  readonly ca: KeyPair;
  readonly port: number;
  post(body: unknown, options?: PostOptions): Promise<Answer>;
  /** A bare TLS connection, to misbehave on. */
  socket(): Promise<TLSSocket>;
}

export interface PostOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
  readonly trust?: string;
  readonly identity?: KeyPair;
}

export interface TestServerOptions {
  readonly handler?: AdmissionHandler;
  readonly limits?: Partial<ServerLimits>;
  readonly bodies?: Partial<BodyLimits>;
  readonly more?: Partial<WebhookServerOptions>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const ca = await newAuthority();
  const registry = new Registry();
  const budget = new BodyBudget({ ...defaultBodyLimits, ...options.bodies });
  const server = new WebhookServer({
    port: "https",
    routes: new Map([["/admit", options.handler ?? (() => ({ allowed: true }))]]),
    leaf: await newLeaf(ca),
    budget,
    metrics: new WebhookMetrics(registry),
    logger: silentLogger,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...options.more,
  });
  const { port } = await server.listen("127.0.0.1", 0);
  return {
    server,
    registry,
    budget,
    ca,
    port,
    post: (body, post = {}) => send(port, post.trust ?? ca.certificatePem, body, post),
    async socket() {
      const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca: ca.certificatePem });
      socket.on("error", () => undefined); // being cut off is what these tests are about
      await once(socket, "secureConnect");
      return socket;
    },
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

export function send(port: number, trust: string, body: unknown, options: PostOptions = {}): Promise<Answer> {
  const bytes = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port,
        path: options.path ?? "/admit?timeout=5s",
        method: options.method ?? "POST",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(bytes),
          ...options.headers,
        },
        ca: trust,
        agent: options.agent ?? new Agent({ keepAlive: false }),
        ...(options.identity === undefined
          ? {}
          : { cert: options.identity.certificatePem, key: options.identity.privateKeyPem }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(bytes);
  });
}

/** Everything the socket receives until it is closed by the other side. */
export async function untilClosed(socket: TLSSocket): Promise<string> {
  let received = "";
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("utf8");
  });
  if (!socket.destroyed) await once(socket, "close");
  return received;
}

export async function metric(registry: Registry, name: string): Promise<Record<string, number>> {
  const found = await registry.getSingleMetric(name)?.get();
  return Object.fromEntries(
    (found?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(" "), value]),
  );
}
