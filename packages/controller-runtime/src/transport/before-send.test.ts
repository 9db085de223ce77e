import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { guardClient, LeadershipLostError } from "../election/guard.ts";
import { ConfigMap } from "../kubernetes/resources.ts";
import { createClient } from "./index.ts";

it("begins no queued write after a stall", async () => {
  let seen = 0;
  const waiting: (() => void)[] = [];
  const server = createServer((req, res) => {
    seen++;
    req.resume();
    waiting.push(() =>
      res.end(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } })),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = { headers: {}, tls: {} };
  const credentials = {
    server: url,
    current: () => auth,
    refresh: async () => undefined,
    close: () => undefined,
  };
  const client = createClient({ credentials: credentials as never, maxConnections: 1 });
  let leads = true;
  const guarded = guardClient(client, { mayWrite: () => leads, signal: new AbortController().signal });
  const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "b" } };
  const first = guarded.create(ConfigMap, map);
  const queued = Array.from({ length: 5 }, () => guarded.create(ConfigMap, map));
  const settled = Promise.allSettled(queued);
  while (waiting.length === 0) await new Promise((r) => setImmediate(r));

  leads = false;
  waiting[0]?.();
  await first;
  for (const result of await settled) {
    expect(result.status).toBe("rejected");
    expect((result as PromiseRejectedResult).reason).toBeInstanceOf(LeadershipLostError);
  }
  expect(seen).toBe(1);
  await client.close();
  server.close();
});
