import type { Dispatcher } from "undici";
// Not from undici itself: fetch, WebSocket, caches and mocks come with it, half of this package's time and memory to load.
import Agent from "undici/lib/dispatcher/agent.js";
import type { TlsMaterial } from "../credentials/credentials.ts";

/**
 * The open connections of one TLS identity. Requests share a bounded number of keep-alive connections, so that
 * ten thousand parallel calls queue instead of opening ten thousand sockets; a watch occupies a connection for
 * minutes under HTTP/1.1 and must not use up that bound, so streams have their own.
 */
export interface Connections {
  readonly tls: TlsMaterial;
  readonly requests: Dispatcher;
  readonly streams: Dispatcher;
  /** Lets what is under way finish, accepts nothing new. */
  drain(): Promise<void>;
  /** Cuts what is under way. */
  destroy(): Promise<void>;
}

export interface ConnectionLimits {
  /** Parallel connections for ordinary requests to one API server. */
  maxConnections: number;
  /** Largest body of one answer. */
  maxResponseBytes: number;
}

/** kube-apiserver closes idle connections after 90 s; closing earlier on our side avoids racing it. */
const keepAliveMs = 55_000;

export function openConnections(tls: TlsMaterial, limits: ConnectionLimits): Connections {
  const connect = {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    minVersion: "TLSv1.2" as const,
    timeout: 10_000,
  };
  const shared = {
    connect,
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const requests = new Agent({
    ...shared,
    connections: limits.maxConnections,
    maxResponseSize: limits.maxResponseBytes,
  });
  const streams = new Agent(shared);
  return {
    tls,
    requests,
    streams,
    drain: async () => {
      await Promise.all([requests.close(), streams.close()]);
    },
    destroy: async () => {
      await Promise.all([requests.destroy(), streams.destroy()]);
    },
  };
}
