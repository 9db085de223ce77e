import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/manual-clock.ts";
import type { KubeList, KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { ConfigMap } from "../kubernetes/resources.ts";
import { ApiError, TransportError } from "../transport/api-error.ts";
import type { Client, ListOptions, WatchOptions } from "../transport/client.ts";
import { Informer, type InformerOptions } from "./informer.ts";
import { noInformerMetrics } from "./informer-metrics.ts";

const request = { verb: "list", resource: "configmaps" };

type Map = ConfigMap;
const map = (name: string, version: number, extra: Partial<Map> = {}): Map => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "x", uid: `uid-${name}`, resourceVersion: String(version) },
  ...extra,
});

/** A client whose lists are scripted and whose one open watch the test feeds. */
class FakeClient {
  readonly lists: (ListOptions | undefined)[] = [];
  readonly watches: (WatchOptions | undefined)[] = [];
  answers: (KubeList<Map> | Error)[] = [];
  push: (batch: WatchEvent<Map>[] | Error | "end") => void = () => undefined;

  async list(_type: unknown, options?: ListOptions): Promise<KubeList<Map>> {
    this.lists.push(options);
    const answer = this.answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? listOf([], 1);
  }

  async *watchBatches(_type: unknown, options?: WatchOptions): AsyncIterable<WatchEvent<Map>[]> {
    this.watches.push(options);
    const queue: (WatchEvent<Map>[] | Error | "end")[] = [[]];
    let wake = (): void => undefined;
    this.push = (batch) => {
      queue.push(batch);
      wake();
    };
    const aborted = new Promise<never>((_, reject) => {
      options?.signal?.addEventListener("abort", () => reject(options.signal?.reason as Error), {
        once: true,
      });
    });
    aborted.catch(() => undefined); // nobody may be waiting when it happens
    for (;;) {
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
        if (batch === "end") return;
        if (batch instanceof Error) throw batch;
        yield batch;
      }
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([woken, aborted]);
    }
  }
}

const listOf = (items: Map[], version: number): KubeList<Map> => ({
  apiVersion: "v1",
  kind: "ConfigMapList",
  metadata: { resourceVersion: String(version) },
  items,
});

async function started(answers: (KubeList<Map> | Error)[], options: Partial<InformerOptions<Map>> = {}) {
  const fake = new FakeClient();
  fake.answers = answers;
  const clock = new ManualClock();
  const errors: string[] = [];
  const logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (_: object, text: string) => errors.push(text),
  };
  const informer = new Informer<Map>({
    client: fake as unknown as Client,
    type: ConfigMap,
    clock,
    random: () => 0,
    logger,
    ...options,
  });
  const controller = new AbortController();
  const events: string[] = [];
  const start = () => informer.start(controller.signal);
  return { fake, clock, errors, informer, controller, events, start, settle: () => clock.advanceAsync(0) };
}

describe("Informer", () => {
  it("tells handlers of initial objects before it says it is in sync, and of later ones as not initial", async () => {
    const { fake, informer, controller, events, start, settle } = await started([listOf([map("a", 1)], 5)]);
    informer.on({
      added: (object, isInitial) =>
        void events.push(`added ${object.metadata.name} ${isInitial} ${informer.hasSynced}`),
      updated: (old, object) =>
        void events.push(`updated ${old.metadata.resourceVersion}->${object.metadata.resourceVersion}`),
      deleted: (last, isKnown) => void events.push(`deleted ${last.metadata.name} ${isKnown}`),
    });
    const stopped = start();
    await informer.synced();
    await settle();
    fake.push([
      { type: "ADDED", object: map("b", 6) },
      { type: "MODIFIED", object: map("a", 7) },
      { type: "DELETED", object: map("b", 8) },
    ]);
    await settle();
    expect(events).toEqual(["added a true false", "added b false true", "updated 1->7", "deleted b true"]);
    controller.abort();
    await stopped;
  });

  it("goes on after a handler that throws or rejects, and tells the others", async () => {
    let failed = 0;
    const { fake, errors, informer, controller, events, start, settle } = await started(
      [listOf([map("a", 1)], 5)],
      {
        metrics: { ...noInformerMetrics, handlerFailed: () => failed++ },
      },
    );
    informer.on({
      added: () => {
        throw new Error("broken handler");
      },
      updated: (() => Promise.reject(new Error("broken later"))) as () => void,
    });
    informer.on({
      added: (object) => void events.push(object.metadata.name),
      updated: () => void events.push("updated"),
    });
    const stopped = start();
    await informer.synced();
    await settle();
    fake.push([
      { type: "MODIFIED", object: map("a", 6) },
      { type: "ADDED", object: map("b", 7) },
    ]);
    await settle();
    expect(events).toEqual(["a", "updated", "b"]);
    expect(failed).toBe(3);
    expect(errors).toHaveLength(3);
    controller.abort();
    await stopped;
  });

  it("gives a handler added late what is there already, as initial, and nothing after it was removed", async () => {
    const { fake, informer, controller, events, start, settle } = await started([
      listOf([map("a", 1), map("b", 2)], 5),
    ]);
    const stopped = start();
    await informer.synced();
    await settle();
    const remove = informer.on({
      added: (object, isInitial) => void events.push(`${object.metadata.name} ${isInitial}`),
    });
    expect(events).toEqual(["a true", "b true"]);
    remove();
    fake.push([{ type: "ADDED", object: map("c", 6) }]);
    await settle();
    expect(events).toHaveLength(2);
    expect([...informer.store.keys()]).toEqual(["x/a", "x/b", "x/c"]);
    controller.abort();
    await stopped;
  });

  it("hands out frozen objects everywhere, down to the leaves", async () => {
    const deep = map("a", 1, { data: { value: "1" } });
    const { informer, controller, start } = await started([listOf([deep], 5)], {
      indexers: { all: () => ["x"] },
    });
    let handed: Map | undefined;
    informer.on({
      added: (object) => {
        handed = object;
      },
    });
    const stopped = start();
    await informer.synced();
    for (const object of [
      handed,
      informer.store.get("x/a"),
      informer.store.list()[0],
      informer.store.byIndex("all", "x")[0],
    ]) {
      expect(() => Object.assign(object ?? {}, { kind: "Other" })).toThrow(TypeError);
      expect(() => Object.assign(object?.data ?? {}, { value: "2" })).toThrow(TypeError);
      expect(() => Object.assign(object?.metadata ?? {}, { labels: {} })).toThrow(TypeError);
    }
    expect(() => informer.store.byIndex("none", "x")).toThrow(RangeError);
    controller.abort();
    await stopped;
  });

  it("drops managedFields except the wanted manager's, then applies the transform", async () => {
    const managed = map("a", 1, { data: { value: "secret" } });
    managed.metadata.managedFields = ["me", "you"].map((manager) => ({
      manager,
      operation: "Apply" as const,
    }));
    const { fake, informer, controller, start, settle } = await started([listOf([managed], 5)], {
      keepManagedFieldsOf: "me",
      transform: (object) => {
        delete object.data;
        return object;
      },
    });
    const stopped = start();
    await informer.synced();
    await settle();
    const later = structuredClone({
      ...managed,
      metadata: { ...managed.metadata, name: "b", resourceVersion: "6" },
    });
    fake.push([{ type: "ADDED", object: later }]);
    await settle();
    for (const key of ["x/a", "x/b"]) {
      const object = informer.store.get(key);
      expect(object?.data).toBeUndefined();
      expect(object?.metadata.managedFields?.map((entry) => entry.manager)).toEqual(["me"]);
    }
    controller.abort();
    await stopped;
  });

  it("never gives up: refused, unreachable, expired, it waits and goes on", async () => {
    const unreachable = new TransportError("ConnectionFailed", request, "refused");
    const forbidden = new ApiError(request, 403, { message: "no", reason: "Forbidden" });
    const { fake, clock, informer, controller, start, settle } = await started([
      unreachable,
      forbidden,
      new TypeError("a bug"),
      listOf([map("a", 1)], 5),
      listOf([], 9),
    ]);
    const stopped = start();
    for (let round = 0; round < 3; round++) await clock.advanceAsync(30_000);
    await informer.synced();
    expect(fake.lists).toHaveLength(4);
    await settle();
    fake.push(new ApiError(request, 410, { message: "too old", reason: "Expired" }));
    await clock.advanceAsync(5_000);
    expect(fake.lists).toHaveLength(5);
    expect(informer.store.size).toBe(0);
    expect(fake.watches.map((options) => options?.resourceVersion)).toEqual(["5", "9"]);
    controller.abort();
    await stopped;
    expect(clock.pending).toBe(0);
  });

  it("reopens a watch that went silent", async () => {
    const { fake, clock, informer, controller, start, settle } = await started([listOf([], 5)]);
    const stopped = start();
    await informer.synced();
    await settle();
    fake.push([{ type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } }]);
    await clock.advanceAsync(149_000);
    expect(fake.watches).toHaveLength(1);
    await clock.advanceAsync(1_000);
    expect(fake.watches).toHaveLength(2);
    expect(fake.watches[1]?.resourceVersion).toBe("7");
    expect(fake.watches[0]?.signal?.aborted).toBe(true);
    controller.abort();
    await stopped;
  });

  it("rejects those who wait for it when it is stopped first, and cannot be started twice", async () => {
    const { informer, controller, start } = await started([
      new TransportError("ConnectionFailed", request, "refused"),
    ]);
    const stopped = start();
    expect(() => start()).toThrow(/started already/);
    const impatient = new AbortController();
    const waits = [informer.synced(), informer.synced(impatient.signal)];
    impatient.abort(new Error("too long"));
    controller.abort(new Error("stopping"));
    await stopped;
    await expect(waits[0]).rejects.toThrow("stopping");
    await expect(waits[1]).rejects.toThrow("too long");
    await expect(informer.synced()).rejects.toThrow("stopping");
  });

  it("takes an object of any kind", () => {
    const informer = new Informer<KubeObject>({
      client: new FakeClient() as unknown as Client,
      type: ConfigMap,
    });
    expect(informer.store.size).toBe(0);
  });
});
