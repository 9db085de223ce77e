// Whoever takes decision logs, over real TLS: keeps what it is sent, refuses while it is told to.
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { generateCa, issueLeaf } from "@shieldx/pki";

export interface LogEvent {
  readonly decision_id: string;
  readonly path: string;
  readonly [key: string]: unknown;
}

export interface LogSink extends AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
  /** What was taken, in the order it came. */
  readonly events: LogEvent[];
  /** Paths and `authorization` headers of all requests. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[];
  /** Answers other than 200 until it is set back to that. */
  status: number;
}

export async function startLogSink(): Promise<LogSink> {
  const lifetimeMs = 86_400_000;
  const ca = await generateCa({ commonName: "logs", now: Date.now(), lifetimeMs });
  const leaf = await issueLeaf({ ca, dnsNames: [], ipAddresses: ["127.0.0.1"], now: Date.now(), lifetimeMs });
  const server = createServer({ cert: leaf.certificatePem, key: leaf.privateKeyPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      sink.requests.push({ path: request.url ?? "", authorization: request.headers.authorization });
      if (sink.status === 200) {
        sink.events.push(...(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString("utf8")) as LogEvent[]));
      }
      response.writeHead(sink.status).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sink: LogSink = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/base`,
    caPem: ca.certificatePem,
    events: [],
    requests: [],
    status: 200,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
  return sink;
}
