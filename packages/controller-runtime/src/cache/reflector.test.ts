import { describe, expect, it } from "vitest";
import type { KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";
import type { Delta } from "./delta.ts";
import {
  defaultReflectorSettings,
  Reflector,
  type ReflectorCommand,
  type ReflectorInput,
  type ReflectorStep,
} from "./reflector.ts";
import { ObjectStore } from "./store.ts";

const object = (name: string, uid: string, version: number): KubeObject => ({
  apiVersion: "v1",
  kind: "Model",
  metadata: { name, uid, resourceVersion: String(version) },
});
const event = (
  type: "ADDED" | "MODIFIED" | "DELETED",
  name: string,
  uid: string,
  version: number,
): WatchEvent<KubeObject> => ({
  type,
  object: object(name, uid, version),
});
const bookmark = (version: number): WatchEvent<KubeObject> => ({
  type: "BOOKMARK",
  object: { metadata: { resourceVersion: String(version) } },
});
const expiredEvent: WatchEvent<KubeObject> = { type: "ERROR", object: { code: 410, reason: "Expired" } };

/** A reflector with its clock and last command at hand. */
class Bench {
  readonly store = new ObjectStore<KubeObject>();
  readonly reflector: Reflector<KubeObject>;
  readonly deltas: string[] = [];
  nowMs = 0;
  /** What the last step told to do, if anything. */
  command: ReflectorCommand | undefined;
  /** The request under way. */
  request = -1;

  constructor(random: () => number = () => 0.5) {
    this.reflector = new Reflector(this.store, random, { ...defaultReflectorSettings, pageSize: 2 });
  }

  step(input: ReflectorInput<KubeObject>): ReflectorStep<KubeObject> {
    const step = this.reflector.step(input, this.nowMs);
    this.command = step.commands.at(-1);
    this.request = this.command?.request ?? this.request;
    this.deltas.push(...step.deltas.map(describeDelta));
    return step;
  }

  sync(items: KubeObject[], version: number): void {
    this.step({ type: "start" });
    this.step({ type: "page", request: this.request, items, resourceVersion: String(version) });
    this.step({ type: "events", request: this.request, events: [] });
    this.deltas.length = 0;
    this.nowMs += 5_000;
  }

  /** Lets the wait run out. Returns how long it was. */
  tick(): number {
    const due = this.reflector.deadlineMs ?? Number.NaN;
    const waited = due - this.nowMs;
    this.nowMs = due;
    this.step({ type: "tick" });
    return waited;
  }
}

function describeDelta(delta: Delta<KubeObject>): string {
  const of = delta.type === "deleted" ? delta.last : delta.object;
  return `${delta.type} ${keyOf(of)} ${of.metadata.uid}`;
}

describe("Reflector", () => {
  it("lists in pages of one consistent version, then watches from there", () => {
    const bench = new Bench();
    bench.step({ type: "start" });
    expect(bench.command).toMatchObject({ type: "list", limit: 2, continue: undefined });
    bench.step({
      type: "page",
      request: bench.request,
      items: [object("a", "1", 1), object("b", "2", 2)],
      resourceVersion: "9",
      continue: "next",
    });
    expect(bench.command).toMatchObject({ type: "list", continue: "next" });
    expect(bench.reflector.hasSynced).toBe(false);
    const last = bench.step({
      type: "page",
      request: bench.request,
      items: [object("c", "3", 3)],
      resourceVersion: "9",
      continue: "",
    });
    expect(last.isInitial).toBe(true);
    expect(bench.reflector.hasSynced).toBe(true);
    expect(bench.command).toMatchObject({ type: "watch", resourceVersion: "9", timeoutSeconds: 450 });
  });

  it("asks for watches of 300 to 600 seconds", () => {
    for (const [random, seconds] of [
      [0, 300],
      [0.999999, 600],
    ] as const) {
      const bench = new Bench(() => random);
      bench.step({ type: "start" });
      bench.step({ type: "page", request: bench.request, items: [], resourceVersion: "1" });
      expect(bench.command).toMatchObject({ type: "watch", timeoutSeconds: seconds });
    }
  });

  it("delivers a deletion missed while disconnected", () => {
    const bench = new Bench();
    bench.sync([object("a", "1", 1), object("b", "2", 2)], 5);
    bench.step({ type: "watchEnded", request: bench.request, failure: { kind: "expired" } });
    bench.step({ type: "page", request: bench.request, items: [object("b", "2", 2)], resourceVersion: "9" });
    expect(bench.deltas).toEqual(["deleted a 1"]);
  });

  it("delivers an object deleted and created again under its name as deleted, then added", () => {
    const bench = new Bench();
    bench.sync([object("a", "1", 1)], 5);
    bench.step({ type: "events", request: bench.request, events: [expiredEvent] });
    bench.step({ type: "page", request: bench.request, items: [object("a", "7", 8)], resourceVersion: "9" });
    expect(bench.deltas).toEqual(["deleted a 1", "added a 7"]);
  });

  it("says nothing about objects a new list finds unchanged", () => {
    const bench = new Bench();
    bench.sync([object("a", "1", 1)], 5);
    bench.step({ type: "events", request: bench.request, events: [expiredEvent] });
    const step = bench.step({
      type: "page",
      request: bench.request,
      items: [object("a", "1", 1)],
      resourceVersion: "9",
    });
    expect(step.deltas).toEqual([]);
    expect(step.isInitial).toBe(false);
  });

  it("resumes after the last event it applied, without waiting, when a watch that lived is cut", () => {
    const bench = new Bench();
    bench.sync([], 5);
    bench.step({
      type: "events",
      request: bench.request,
      events: [event("ADDED", "a", "1", 6), bookmark(8)],
    });
    bench.step({ type: "watchEnded", request: bench.request, failure: { kind: "unavailable" } });
    expect(bench.command).toMatchObject({ type: "watch", resourceVersion: "8" });
  });

  it("keeps what came before a 410 in one chunk, and lists again", () => {
    const bench = new Bench();
    bench.sync([], 5);
    const step = bench.step({
      type: "events",
      request: bench.request,
      events: [event("ADDED", "a", "1", 6), expiredEvent],
    });
    expect(bench.deltas).toEqual(["added a 1"]);
    expect(step.commands.map((command) => command.type)).toEqual(["abort", "list"]);
  });

  it("starts over in one answer when a continue token expires half way, and still finds what was deleted", () => {
    const bench = new Bench();
    bench.step({ type: "start" });
    bench.step({
      type: "page",
      request: bench.request,
      items: [object("a", "1", 1)],
      resourceVersion: "3",
      continue: "t",
    });
    bench.step({ type: "listFailed", request: bench.request, failure: { kind: "expired" } });
    bench.tick();
    expect(bench.command).toMatchObject({ type: "list", continue: undefined, limit: undefined });
    bench.step({ type: "page", request: bench.request, items: [object("b", "2", 4)], resourceVersion: "6" });
    expect(bench.deltas).toEqual(["added a 1", "added b 2", "deleted a 1"]);
  });

  it("tries the same page again when the server is unavailable", () => {
    const bench = new Bench();
    bench.step({ type: "start" });
    bench.step({
      type: "page",
      request: bench.request,
      items: [object("a", "1", 1)],
      resourceVersion: "3",
      continue: "t",
    });
    bench.step({ type: "listFailed", request: bench.request, failure: { kind: "unavailable" } });
    bench.tick();
    expect(bench.command).toMatchObject({ type: "list", continue: "t" });
  });

  it("waits between 0.8 and 30 seconds, longer with each failure, and starts anew once healthy", () => {
    const bench = new Bench(() => 0.999_999);
    bench.sync([], 5);
    const fail = (): number => {
      bench.step({ type: "watchEnded", request: bench.request, failure: { kind: "unavailable" } });
      return Math.round(bench.tick());
    };
    bench.step({ type: "watchEnded", request: bench.request, failure: { kind: "unavailable" } }); // it lived: at once
    expect([1, 2, 3, 4, 5, 6, 7].map(fail)).toEqual([1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    bench.step({ type: "events", request: bench.request, events: [bookmark(6)] });
    bench.step({ type: "watchEnded", request: bench.request });
    expect(bench.command?.type).toBe("watch");
    expect(fail()).toBe(1_600);

    const eager = new Bench(() => 0);
    eager.step({ type: "start" });
    eager.step({ type: "listFailed", request: eager.request, failure: { kind: "rejected" } });
    expect(eager.tick()).toBe(800);
  });

  it("waits as long as the server asks", () => {
    const bench = new Bench();
    bench.sync([], 5);
    bench.step({
      type: "watchEnded",
      request: bench.request,
      failure: { kind: "unavailable", retryAfterMs: 45_000 },
    });
    expect(bench.tick()).toBe(45_000);
  });

  it("does not spin on a server that ends every watch at once, or answers 410 to every fresh list", () => {
    const bench = new Bench();
    bench.step({ type: "start" });
    bench.step({ type: "page", request: bench.request, items: [], resourceVersion: "1" });
    bench.step({ type: "events", request: bench.request, events: [] });
    bench.step({ type: "watchEnded", request: bench.request });
    expect(bench.command).toBeUndefined();
    expect(bench.tick()).toBeGreaterThanOrEqual(800);

    const expired = new Bench();
    let lists = 0;
    expired.step({ type: "start" });
    for (let round = 0; round < 20 && expired.command !== undefined; round++) {
      if (expired.command.type === "list") {
        lists++;
        expired.step({ type: "page", request: expired.request, items: [], resourceVersion: "1" });
      } else expired.step({ type: "watchEnded", request: expired.request, failure: { kind: "expired" } });
    }
    expect(lists).toBe(2);
  });

  it("gives up a half-open watch: after its time and a margin, or after silence where bookmarks had come", () => {
    const bench = new Bench();
    bench.sync([], 5);
    const openedMs = bench.nowMs - 5_000;
    expect(bench.reflector.deadlineMs).toBe(openedMs + 480_000);
    bench.step({ type: "events", request: bench.request, events: [bookmark(7)] });
    expect(bench.tick()).toBe(150_000);
    expect(bench.command).toMatchObject({ type: "watch", resourceVersion: "7" });
  });

  it("ignores answers to requests it has given up", () => {
    const bench = new Bench();
    bench.sync([], 5);
    const old = bench.request;
    bench.tick();
    const step = bench.step({ type: "events", request: old, events: [event("ADDED", "a", "1", 9)] });
    expect(step).toMatchObject({ commands: [], deltas: [] });
    expect(bench.reflector.resourceVersion).toBe("5");
  });

  it("does not let a late deletion of a predecessor remove its successor", () => {
    const bench = new Bench();
    bench.sync([object("a", "2", 8)], 8);
    bench.step({ type: "events", request: bench.request, events: [event("DELETED", "a", "1", 7)] });
    expect(bench.store.size).toBe(1);
  });
});
