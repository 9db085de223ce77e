import { describe, expect, it } from "vitest";
import { type Credentials, staticCredentials } from "../credentials/credentials.ts";
import { ConfigMap, Lease, Namespace } from "../kubernetes/resources.ts";
import { ApiError, isConflict, isNotFound, TransportError } from "./api-error.ts";
import { type Answer, json, type ScriptedServer, scriptedServer, status } from "./api-server.test-kit.ts";
import type { Client } from "./client.ts";
import { type ClientOptions, createClient } from "./kube-client.ts";

const settings = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "default" },
};
const key = { name: "settings", namespace: "default" };

async function withServer(
  answers: Answer[],
  run: (client: Client, server: ScriptedServer, waits: number[]) => Promise<void>,
  options: Partial<ClientOptions> = {},
): Promise<void> {
  await using server = await scriptedServer(...answers);
  const waits: number[] = [];
  const client = createClient({
    credentials: staticCredentials({ server: server.url, token: "secret" }),
    sleep: async (ms, signal) => {
      waits.push(ms);
      signal?.throwIfAborted();
    },
    ...options,
  });
  try {
    await run(client, server, waits);
  } finally {
    await client.close();
  }
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail("it did not throw"),
    (error: unknown) => error,
  );
}

describe("requests", () => {
  it("addresses objects, subresources and collections as the API does", async () => {
    await withServer([json(200, { ...settings, items: [] })], async (client, server) => {
      await client.get(ConfigMap, key);
      await client.list(ConfigMap, { namespace: "a b", labelSelector: "a=b,c!=d", limit: 5 });
      await client.list(Namespace);
      await client.apply(
        Lease,
        { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key },
        { fieldManager: "me", force: true, subresource: "status" },
      );
      await client.replace(ConfigMap, settings, { dryRun: true });
      await client.delete(ConfigMap, key, { preconditions: { uid: "u" } });
      expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
        "GET /api/v1/namespaces/default/configmaps/settings",
        "GET /api/v1/namespaces/a%20b/configmaps?labelSelector=a%3Db%2Cc!%3Dd&limit=5",
        "GET /api/v1/namespaces",
        "PATCH /apis/coordination.k8s.io/v1/namespaces/default/leases/settings/status?fieldManager=me&fieldValidation=Strict&force=true",
        "PUT /api/v1/namespaces/default/configmaps/settings?fieldValidation=Strict&dryRun=All",
        "DELETE /api/v1/namespaces/default/configmaps/settings",
      ]);
      expect(server.requests[3]?.headers).toMatchObject({
        "content-type": "application/apply-patch+yaml",
        authorization: "Bearer secret",
      });
      expect(JSON.parse(server.requests[5]?.body ?? "")).toMatchObject({ preconditions: { uid: "u" } });
    });
  });

  it("refuses names that would address something else, before any request", async () => {
    await withServer([json(200, {})], async (client, server) => {
      for (const name of ["", "..", ".", "a/b"])
        await expect(client.get(ConfigMap, { name, namespace: "x" })).rejects.toThrow(TypeError);
      await expect(client.delete(ConfigMap, { name: "a" })).rejects.toThrow(/namespace is missing/);
      expect(server.requests).toEqual([]);
    });
  });

  it("reuses connections, and never opens more than its bound", async () => {
    await withServer(
      [json(200, settings)],
      async (client, server) => {
        await Promise.all(Array.from({ length: 200 }, () => client.get(ConfigMap, key)));
        expect(server.requests).toHaveLength(200);
        expect(server.connections).toBeLessThanOrEqual(4);
      },
      { maxConnections: 4 },
    );
  });

  it("keeps a path the server's URL has", async () => {
    await withServer([json(200, settings)], async (client, server) => {
      await client.withServer(`${server.url}/k8s/clusters/c1/`).get(ConfigMap, key);
      expect(server.requests[0]?.path).toBe("/k8s/clusters/c1/api/v1/namespaces/default/configmaps/settings");
    });
  });

  it("reads every page", async () => {
    const page = (names: string[], token?: string) =>
      json(200, { metadata: { continue: token }, items: names.map((name) => ({ metadata: { name } })) });
    await withServer([page(["a", "b"], "t/1"), page(["c"])], async (client, server) => {
      const names: string[] = [];
      for await (const items of client.pages(ConfigMap))
        names.push(...items.map((item) => `${item.kind} ${item.metadata.name}`));
      expect(names).toEqual(["ConfigMap a", "ConfigMap b", "ConfigMap c"]);
      expect(server.requests.map(({ path }) => path)).toEqual([
        "/api/v1/configmaps?limit=500",
        "/api/v1/configmaps?limit=500&continue=t%2F1",
      ]);
    });
  });
});

describe("refusals", () => {
  it("become an ApiError that says verb, resource, name and what the server said", async () => {
    await withServer([status(409, "Conflict", "the object has been modified")], async (client) => {
      const error = await errorOf(client.replace(ConfigMap, settings));
      expect(isConflict(error)).toBe(true);
      expect(String(error)).toBe(
        "ApiError: update configmaps default/settings: the object has been modified (409 Conflict)",
      );
    });
  });

  it("become an ApiError too when something in between answered with a page of its own", async () => {
    const page: Answer = (_request, response) =>
      response
        .writeHead(502, { "content-type": "text/html" })
        .end(`<html>\n<b>bad gateway</b>${"x".repeat(5_000)}`);
    await withServer([page], async (client) => {
      const error = (await errorOf(client.get(ConfigMap, key, { retries: 0 }))) as ApiError;
      expect(error).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({ code: 502, reason: "Unknown" });
      expect(error.message.length).toBeLessThan(400);
    });
  });

  it("are undefined for find when the object is not there, and only then", async () => {
    await withServer([status(404, "NotFound", "no"), status(403, "Forbidden", "no")], async (client) => {
      expect(await client.find(ConfigMap, key)).toBeUndefined();
      await expect(client.find(ConfigMap, key)).rejects.toMatchObject({ reason: "Forbidden" });
    });
  });

  it("surface the server's warnings, each once", async () => {
    const warned: string[] = [];
    const logger = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_: object, message: string) => warned.push(message),
    };
    const warning = { warning: '299 - "old \\"thing\\"", 299 - "second"' };
    await withServer(
      [json(200, settings, warning)],
      async (client) => {
        for (let round = 0; round < 3; round++) await client.get(ConfigMap, key);
        expect(warned).toEqual(['the API server warns: old "thing"', "the API server warns: second"]);
      },
      { logger },
    );
  });
});

describe("retries", () => {
  const busy = status(429, "TooManyRequests", "slow down", { "retry-after": "2" });

  it.each([
    ["get", (client: Client) => client.get(ConfigMap, key)],
    ["apply", (client: Client) => client.apply(ConfigMap, settings, { fieldManager: "me" })],
    ["replace", (client: Client) => client.replace(ConfigMap, settings)],
    ["delete", (client: Client) => client.delete(ConfigMap, key)],
  ])("%s waits as long as the server asks", async (_name, call) => {
    await withServer(
      [busy, status(503, "ServiceUnavailable", "starting", { "retry-after": "1" }), json(200, settings)],
      async (client, server, waits) => {
        await call(client);
        expect(waits).toEqual([2_000, 1_000]);
        expect(server.requests).toHaveLength(3);
      },
    );
  });

  it.each([
    ["create", (client: Client) => client.create(ConfigMap, settings)],
    ["json patch", (client: Client) => client.patch(ConfigMap, key, [], { type: "json" })],
  ])("%s is never sent twice", async (_name, call) => {
    await withServer([busy, json(200, settings)], async (client, server) => {
      const error = (await errorOf(call(client))) as ApiError;
      expect(error).toMatchObject({ code: 429, retryAfterMs: 2_000 });
      expect(server.requests).toHaveLength(1);
    });
  });

  it("end after a bound, and leave very long waits to the caller", async () => {
    await withServer([busy], async (client, server) => {
      await errorOf(client.get(ConfigMap, key));
      expect(server.requests).toHaveLength(6);
    });
    await withServer(
      [status(503, "ServiceUnavailable", "later", { "retry-after": "600" })],
      async (client, server) => {
        expect(await errorOf(client.get(ConfigMap, key))).toMatchObject({ retryAfterMs: 600_000 });
        expect(server.requests).toHaveLength(1);
      },
    );
  });

  it("are cut short by the caller's signal", async () => {
    const controller = new AbortController();
    await using server = await scriptedServer(
      status(429, "TooManyRequests", "slow", { "retry-after": "20" }),
    );
    const client = createClient({ credentials: staticCredentials({ server: server.url }) });
    const call = errorOf(client.get(ConfigMap, key, { signal: controller.signal }));
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("enough"));
    const error = (await call) as Error;
    expect(error.name === "AbortError" || error.message === "enough").toBe(true);
    await client.close();
  });

  it("repeat a read once when a kept connection turns out dead, but not a create", async () => {
    const reset: Answer = (request) => request.socket.destroy();
    await withServer([reset, json(200, settings)], async (client, server) => {
      await client.get(ConfigMap, key);
      expect(server.requests).toHaveLength(2);
    });
    await withServer([reset, json(200, settings)], async (client, server) => {
      expect(await errorOf(client.create(ConfigMap, settings))).toMatchObject({ code: "ConnectionFailed" });
      expect(server.requests).toHaveLength(1);
    });
  });
});

describe("credentials", () => {
  it("are asked for again once after 401", async () => {
    let token = "expired";
    let refreshed = 0;
    const check: Answer = (request, response, body) =>
      request.headers.authorization === "Bearer good"
        ? json(200, settings)(request, response, body)
        : status(401, "Unauthorized", "Unauthorized")(request, response, body);
    await using server = await scriptedServer(check);
    const tls = {};
    const credentials: Credentials = {
      server: server.url,
      source: "test",
      current: () => ({ headers: { authorization: `Bearer ${token}` }, tls }),
      refresh: async () => {
        refreshed++;
        token = refreshed === 1 ? "good" : "bad";
      },
    };
    const client = createClient({ credentials });
    await client.create(ConfigMap, settings);
    expect(refreshed).toBe(1);
    token = "bad";
    const error = await errorOf(client.get(ConfigMap, key));
    expect(error).toMatchObject({ code: 401 });
    expect(refreshed).toBe(2);
    await client.close();
  });

  it("with new TLS material move to new connections, while a request on the old ones finishes", async () => {
    let tls = {};
    let release = (): void => undefined;
    const held: Answer = (request, response, body) => {
      release = () => json(200, settings)(request, response, body);
    };
    await using server = await scriptedServer(held, json(200, settings));
    const client = createClient({
      credentials: {
        server: server.url,
        source: "test",
        current: () => ({ headers: {}, tls }),
        refresh: async () => {},
      },
    });
    const slow = client.get(ConfigMap, key);
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    tls = {};
    await client.get(ConfigMap, key);
    release();
    expect((await slow).metadata.name).toBe("settings");
    expect(server.connections).toBe(2);
    await client.close();
  });
});

describe("bad answers", () => {
  const code = async (client: Client, options = {}): Promise<string> => {
    const error = await errorOf(client.get(ConfigMap, key, { retries: 0, ...options }));
    expect(error).toBeInstanceOf(TransportError);
    expect(String(error)).toContain("get configmaps default/settings");
    return (error as TransportError).code;
  };

  it("time out, silent from the start or in the middle of the body", async () => {
    const silent: Answer = () => undefined;
    const stuck: Answer = (_request, response) => {
      response.writeHead(200);
      response.write('{"kind":');
    };
    for (const answer of [silent, stuck]) {
      await withServer([answer], async (client) =>
        expect(await code(client, { timeoutMs: 50 })).toBe("Timeout"),
      );
    }
  });

  it("are refused beyond the limit, and when they are not JSON or not a list", async () => {
    await withServer(
      [json(200, "x".repeat(5_000))],
      async (client) => expect(await code(client)).toBe("ResponseTooLarge"),
      { maxResponseBytes: 1_000 },
    );
    await withServer([json(200, "{oops")], async (client) =>
      expect(await code(client)).toBe("MalformedResponse"),
    );
    await withServer([json(200, settings.metadata)], async (client) => {
      expect(await errorOf(client.list(ConfigMap))).toMatchObject({ code: "MalformedResponse" });
    });
  });

  it("say when nothing listens", async () => {
    const client = createClient({ credentials: staticCredentials({ server: "http://127.0.0.1:1" }) });
    const error = await errorOf(client.get(ConfigMap, key));
    expect(error).toMatchObject({ code: "ConnectionFailed" });
    expect(String(error)).toMatch(/ECONNREFUSED.*is the API server up/);
    await client.close();
    expect(await errorOf(client.get(ConfigMap, key))).toBeInstanceOf(Error);
  });
});

describe("watch", () => {
  const line = (type: string, name: string, version: number) =>
    `${JSON.stringify({ type, object: { metadata: { name, resourceVersion: String(version) } } })}\n`;

  it("delivers events as they come, resolves at the end, and throws an ERROR event as ApiError", async () => {
    const stream: Answer = (_request, response) => {
      response.writeHead(200);
      response.write(line("ADDED", "a", 1));
      response.end(
        `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } })}\n`,
      );
    };
    await withServer([stream], async (client, server) => {
      const seen: string[] = [];
      const error = await errorOf(
        (async () => {
          for await (const event of client.watch(ConfigMap, {
            namespace: "x",
            resourceVersion: "0",
            timeoutSeconds: 9,
          }))
            seen.push(event.type);
        })(),
      );
      expect(seen).toEqual(["ADDED"]);
      expect(error).toMatchObject({ code: 410, reason: "Expired" });
      expect(server.requests[0]?.path).toBe(
        "/api/v1/namespaces/x/configmaps?watch=true&resourceVersion=0&timeoutSeconds=9&allowWatchBookmarks=true",
      );
    });
  });

  it("outlives the request timeout and ends when its signal aborts", async () => {
    let more = (): void => undefined;
    const stream: Answer = (_request, response) => {
      response.writeHead(200);
      response.flushHeaders();
      more = () => response.write(line("ADDED", "late", 2));
    };
    const controller = new AbortController();
    await withServer(
      [stream],
      async (client) => {
        const seen: string[] = [];
        const error = await errorOf(
          (async () => {
            for await (const batch of client.watchBatches(ConfigMap, { signal: controller.signal })) {
              if (batch.length === 0) setTimeout(() => more(), 120);
              for (const event of batch) seen.push(event.type);
              if (seen.length > 0) controller.abort(new Error("seen enough"));
            }
          })(),
        );
        expect(seen).toEqual(["ADDED"]);
        expect(String(error)).toContain("seen enough");
      },
      { requestTimeoutMs: 40 },
    );
  });

  it("refused at opening is an ApiError", async () => {
    await withServer([status(410, "Expired", "too old resource version")], async (client) => {
      const error = await errorOf(
        (async () => {
          for await (const _ of client.watch(ConfigMap)) expect.fail("no event was sent");
        })(),
      );
      expect(error).toMatchObject({ code: 410 });
      expect(isNotFound(error)).toBe(false);
    });
  });
});
