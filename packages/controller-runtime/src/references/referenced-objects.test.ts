import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ManualClock } from "../clock/manual-clock.ts";
import { staticCredentials } from "../credentials/index.ts";
import { silentLogger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { json, type ScriptedServer, scriptedServer } from "../transport/api-server.test-kit.ts";
import { createClient } from "../transport/kube-client.ts";
import type { KindReference } from "./plan.ts";
import { ReferencedObjects, type ReferencedObjectsOptions } from "./referenced-objects.ts";

/** ConfigMaps and who may read them, as an API server tells of them; watches stay open for the test to write to. */
class ConfigMaps {
  readonly objects = new Map<string, KubeObject>();
  readonly watches: { path: string; response: ServerResponse }[] = [];
  readonly lists: string[] = [];
  isServed = true;
  mayRead = true;
  version = 1;

  put(name: string, data: Record<string, string>, namespace = "default", labels = {}): void {
    const metadata = {
      name,
      namespace,
      uid: `${namespace}/${name}`,
      labels,
      resourceVersion: `${++this.version}`,
    };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data } as KubeObject;
    this.objects.set(`${namespace}/${name}`, object);
    for (const { response } of this.watches)
      response.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
  }

  readonly answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const url = new URL(request.url ?? "", "http://x");
    const say = (status: number, content: unknown) => json(status, content)(request, response, body);
    if (url.pathname === "/api/v1") {
      const resource = { name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: ["list", "watch"] };
      say(200, { resources: this.isServed ? [{ ...resource, name: "configmaps/x" }, resource] : [] });
    } else if (url.pathname.endsWith("selfsubjectrulesreviews")) {
      const rule = { apiGroups: [""], resources: ["configmaps"], verbs: this.mayRead ? ["*"] : ["get"] };
      say(201, { status: { resourceRules: [rule] } });
    } else if (url.searchParams.has("watch")) {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      this.watches.push({ path: request.url ?? "", response });
    } else if (url.pathname.endsWith("/configmaps")) {
      this.lists.push(`${url.pathname} ${url.searchParams.get("fieldSelector") ?? ""}`.trim());
      const name = /^metadata.name=(.*)/.exec(url.searchParams.get("fieldSelector") ?? "")?.[1];
      const items = [...this.objects.values()].filter(
        ({ metadata }) => name === undefined || metadata.name === name,
      );
      say(200, { kind: "ConfigMapList", metadata: { resourceVersion: `${this.version}` }, items });
    } else say(404, { kind: "Status", code: 404, reason: "NotFound" });
  };
}

let maps: ConfigMaps;
let server: ScriptedServer;
let ending: AbortController;
let clock: ManualClock;
beforeEach(async () => {
  maps = new ConfigMaps();
  server = await scriptedServer(maps.answer);
  ending = new AbortController();
  clock = new ManualClock();
});
afterEach(async () => {
  ending.abort(new Error("the test is over"));
  await server[Symbol.asyncDispose]();
});

function referenced(more: Pick<ReferencedObjectsOptions, "maxBytes" | "feed" | "remedyForSize"> = {}) {
  const changed: string[] = [];
  const waiting = new Set<() => void>();
  const tell = (): void => {
    for (const look of [...waiting]) look();
  };
  const objects = new ReferencedObjects({
    client: createClient({ credentials: staticCredentials({ server: server.url }) }),
    logger: silentLogger,
    clock,
    namespace: "shieldx-system",
    remedy: "grant it",
    onProgress: tell,
    onChanged: ({ metadata }) => {
      changed.push(metadata.name);
      tell();
    },
    ...more,
  });
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const hold = (...references: KindReference[]) => objects.hold(references, ending.signal);
  return { objects, changed, until, hold };
}

const limits = { apiVersion: "v1", kind: "ConfigMap", name: "limits" };
const seen = (objects: ReferencedObjects, reference: KindReference, namespace = "default") => {
  const found = objects.lookUp(reference);
  if (found.state !== "known") return found.state;
  return (found.get(namespace, reference.name ?? "") as { data?: { x: string } } | undefined)?.data?.x;
};

it("knows what is referred to, follows it, and forgets it with the last reference", async () => {
  maps.put("limits", { x: "1" });
  maps.put("other", { x: "1" });
  const { objects, until, hold, changed } = referenced();
  hold(limits);
  expect(objects.isSettled).toBe(false);
  expect(objects.lookUp(limits)).toEqual({
    state: "unknown",
    problem: "objects of kind ConfigMap of v1 have not been read yet",
  });
  await until(() => objects.isSettled);
  expect(seen(objects, limits)).toBe("1");
  expect(maps.lists).toEqual(["/api/v1/configmaps metadata.name=limits"]);
  expect(objects.lookUp({ ...limits, name: "other" }).state).toBe("unknown");
  expect(changed).toEqual([]);
  await expect.poll(() => maps.watches.length).toBe(1);
  maps.put("limits", { x: "2" });
  await until(() => seen(objects, limits) === "2");
  expect(changed).toEqual(["limits"]);
  hold();
  expect(objects.lookUp(limits).state).toBe("unknown");
  await expect.poll(() => maps.watches[0]?.response.destroyed).toBe(true);
});

it("goes on answering while wider watches take over from narrow ones", async () => {
  maps.put("limits", { x: "1" });
  const { objects, until, hold } = referenced();
  hold(limits);
  await until(() => objects.isSettled);
  const many = Array.from({ length: 9 }, (_, i) => ({ ...limits, name: `n${i}` }));
  hold(limits, ...many);
  expect(seen(objects, limits)).toBe("1");
  await until(() => objects.isSettled);
  expect(maps.lists.at(-1)).toBe("/api/v1/configmaps");
  expect(seen(objects, limits)).toBe("1");
  await expect.poll(() => maps.watches.filter(({ response }) => !response.destroyed).length).toBe(1);
});

it("says that a kind is not served, and finds it when it is", async () => {
  maps.isServed = false;
  const { objects, until, hold } = referenced();
  hold(limits);
  await until(() => objects.isSettled);
  expect(objects.lookUp(limits)).toEqual({ state: "notServed" });
  expect(objects.problem(limits)?.reason).toBe("KindNotInstalled");
  maps.isServed = true;
  clock.advance(5_000);
  await until(() => objects.lookUp(limits).state === "known");
});

it("says which right is missing, reads nothing without it, and goes on once it is granted", async () => {
  maps.mayRead = false;
  const { objects, until, hold } = referenced();
  hold(limits);
  await until(() => objects.isSettled);
  const message = 'ShieldX may not read configmaps "limits": grant it';
  expect(objects.problem(limits)).toEqual({ reason: "MissingRights", message });
  expect(objects.lookUp(limits)).toEqual({ state: "unknown", problem: message });
  expect(maps.lists).toEqual([]);
  maps.mayRead = true;
  clock.advance(10_000);
  await until(() => objects.lookUp(limits).state === "known");
  expect(objects.problem(limits)).toBeUndefined();
});

it("holds no more than so many bytes", async () => {
  const { objects, until, hold } = referenced({ maxBytes: 2 ** 20 });
  for (const name of ["a", "b", "c"]) maps.put(name, { x: "x".repeat(2 ** 19) });
  const all = { apiVersion: "v1", kind: "ConfigMap" };
  hold(all);
  await until(() => objects.isSettled);
  expect(objects.problem(all)).toMatchObject({ reason: "ObjectsTooLarge" });
  expect(objects.lookUp(all)).toMatchObject({ problem: expect.stringContaining("come to more than 1 MiB") });
});

it("feeds whoever keeps the objects in another shape, until nobody refers to them", async () => {
  const fed = new Map<string, unknown>();
  const feed = {
    put: (object: KubeObject) => void fed.set(object.metadata.name, object.data),
    delete: (object: KubeObject) => void fed.delete(object.metadata.name),
  };
  for (const name of ["a", "b"]) maps.put(name, { x: "1" });
  const { objects, until, hold } = referenced({ feed, maxBytes: 2 ** 20, remedyForSize: "leave it out" });
  const all = { apiVersion: "v1", kind: "ConfigMap" };
  hold(all);
  await until(() => objects.isSettled);
  expect([...fed]).toEqual([
    ["a", { x: "1" }],
    ["b", { x: "1" }],
  ]);
  await expect.poll(() => maps.watches.length).toBe(1);
  maps.put("a", { x: "2" });
  await until(() => (fed.get("a") as { x: string }).x === "2");
  maps.put("b", { x: "x".repeat(2 ** 20) });
  await until(() => objects.problem(all) !== undefined);
  expect(objects.problem(all)?.message).toBe("configmaps come to more than 1 MiB: leave it out");
  expect(fed.size).toBe(0);
  maps.put("b", { x: "1" });
  clock.advance(300_000);
  await until(() => fed.size === 2);
  hold();
  expect(fed.size).toBe(0);
});

it("waits for a reference only so long", async () => {
  await server[Symbol.asyncDispose]();
  const { objects, hold, until } = referenced();
  hold(limits);
  expect(objects.isSettled).toBe(false);
  clock.advance(10_000);
  await until(() => objects.isSettled);
  expect(objects.problem(limits)?.reason).toBe("NotRead");
});
