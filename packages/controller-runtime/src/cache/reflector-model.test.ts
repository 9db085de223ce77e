import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";
import type { Delta } from "./delta.ts";
import { ModelServer } from "./model-server.test-kit.ts";
import {
  defaultReflectorSettings,
  type Failure,
  Reflector,
  type ReflectorCommand,
  type ReflectorInput,
} from "./reflector.ts";
import { ObjectStore } from "./store.ts";

const bookmark = (version: number): WatchEvent<KubeObject> => ({
  type: "BOOKMARK",
  object: { metadata: { resourceVersion: String(version) } },
});
const expiredEvent: WatchEvent<KubeObject> = { type: "ERROR", object: { code: 410, reason: "Expired" } };

/** Follows the deltas as a handler would and fails on the first that does not fit. */
class Follower {
  readonly held = new Map<string, KubeObject>();
  readonly gone = new Set<string>();

  take(delta: Delta<KubeObject>): void {
    const of = delta.type === "deleted" ? delta.last : delta.object;
    const key = keyOf(of);
    const uid = of.metadata.uid ?? "";
    const held = this.held.get(key);
    switch (delta.type) {
      case "added":
        expect(held, `added ${key} while it was held`).toBeUndefined();
        expect(this.gone.has(uid), `${uid} came back`).toBe(false);
        this.held.set(key, delta.object);
        break;
      case "updated":
        expect(held?.metadata.uid).toBe(uid);
        expect(delta.old.metadata.resourceVersion).toBe(held?.metadata.resourceVersion);
        expect(Number(delta.object.metadata.resourceVersion)).toBeGreaterThan(
          Number(held?.metadata.resourceVersion),
        );
        this.held.set(key, delta.object);
        break;
      case "deleted":
        expect(held?.metadata.uid).toBe(uid);
        this.held.delete(key);
        this.gone.add(uid);
    }
  }
}

type Action =
  | { do: "write" | "delete"; name: string }
  | { do: "recreate"; name: string }
  | { do: "compact" }
  | { do: "answer"; count: number }
  | { do: "fail"; failure: Failure | undefined }
  | { do: "errorEvent"; code: number }
  | { do: "bookmark" }
  | { do: "time"; ms: number };

const name = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
const failure: fc.Arbitrary<Failure | undefined> = fc.constantFrom<Failure | undefined>(
  undefined,
  { kind: "unavailable" },
  { kind: "unavailable", retryAfterMs: 2_000 },
  { kind: "expired" },
  { kind: "rejected" },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("write" as const, "delete" as const), name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("recreate" as const), name }) },
  { weight: 1, arbitrary: fc.constant({ do: "compact" as const }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("answer" as const), count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fail" as const), failure }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("errorEvent" as const), code: fc.constantFrom(410, 500) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "bookmark" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("time" as const),
      ms: fc.constantFrom(100, 2_000, 40_000, 700_000),
    }),
  },
);

const residueOf = (of: KubeObject): string => String(Number(of.metadata.resourceVersion) % 3);

/** Runs a reflector against the model server; the command under way is answered only when an action says so. */
class Simulation {
  readonly server = new ModelServer();
  readonly store = new ObjectStore<KubeObject>({
    uid: (of) => [of.metadata.uid ?? ""],
    residue: (of) => [residueOf(of)],
  });
  readonly follower = new Follower();
  readonly #reflector: Reflector<KubeObject>;
  #underWay: ReflectorCommand | undefined;
  #watchedTo = 0;
  #nowMs = 0;

  constructor(random: () => number) {
    this.#reflector = new Reflector(this.store, random, { ...defaultReflectorSettings, pageSize: 3 });
    this.#feed({ type: "start" });
  }

  run(step: Action): void {
    switch (step.do) {
      case "write":
        this.server.write(step.name);
        break;
      case "delete":
        this.server.delete(step.name);
        break;
      case "recreate":
        this.server.delete(step.name);
        this.server.write(step.name);
        break;
      case "compact":
        this.server.compact();
        break;
      case "answer":
        this.answer(step.count);
        break;
      case "fail":
        this.#fail(step.failure);
        break;
      case "errorEvent":
        if (this.#underWay?.type === "watch") {
          this.#feed({
            type: "events",
            request: this.#underWay.request,
            events: [{ type: "ERROR", object: { code: step.code } }],
          });
        }
        break;
      case "bookmark":
        if (this.#underWay?.type === "watch") {
          this.#feed({
            type: "events",
            request: this.#underWay.request,
            events: [bookmark(this.#watchedTo)],
          });
        }
        break;
      case "time":
        this.#nowMs += step.ms;
        this.#tick();
    }
  }

  /** The server answers what is under way. */
  answer(count: number): void {
    const command = this.#underWay;
    if (command?.type === "list") {
      const page = this.server.list(command.limit, command.continue);
      const { request } = command;
      if (page === undefined) this.#feed({ type: "listFailed", request, failure: { kind: "expired" } });
      else {
        const arrived = count % (page.items.length + 1); // some items before the end of their page
        if (arrived > 0) this.#feed({ type: "items", request, items: page.items.slice(0, arrived) });
        this.#feed({
          type: "page",
          request,
          items: page.items.slice(arrived),
          resourceVersion: String(page.version),
          continue: page.token,
        });
      }
    } else if (command?.type === "watch") {
      if (this.server.isExpired(this.#watchedTo)) {
        this.#feed({ type: "events", request: command.request, events: [expiredEvent] });
        return;
      }
      const events = this.server.eventsAfter(this.#watchedTo, count);
      const last = events.at(-1);
      if (last !== undefined && last.type !== "ERROR")
        this.#watchedTo = Number(last.object.metadata.resourceVersion);
      this.#feed({ type: "events", request: command.request, events });
    }
  }

  /** No more faults: everything is answered until nothing is left to say. */
  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      if (
        this.#reflector.hasSynced &&
        this.#underWay?.type === "watch" &&
        this.#watchedTo >= this.server.version
      )
        return;
      this.#nowMs += this.#underWay === undefined ? 31_000 : 10;
      this.#tick();
      this.answer(100);
    }
    throw new Error("the reflector did not come to rest");
  }

  #fail(reason: Failure | undefined): void {
    const command = this.#underWay;
    if (command?.type === "list") {
      const page = this.server.list(command.limit, command.continue);
      const arrived = page?.items.slice(0, -1) ?? []; // it breaks off after some
      if (arrived.length > 0) this.#feed({ type: "items", request: command.request, items: arrived });
      this.#feed({
        type: "listFailed",
        request: command.request,
        failure: reason ?? { kind: "unavailable" },
      });
    } else if (command?.type === "watch") {
      this.#feed({ type: "watchEnded", request: command.request, failure: reason });
    }
  }

  #tick(): void {
    if (this.#reflector.deadlineMs !== undefined && this.#nowMs >= this.#reflector.deadlineMs)
      this.#feed({ type: "tick" });
  }

  #feed(input: ReflectorInput<KubeObject>): void {
    const step = this.#reflector.step(input, this.#nowMs);
    if (
      this.#underWay !== undefined &&
      "request" in input &&
      input.type !== "items" &&
      !(input.type === "events" && step.commands.length === 0)
    ) {
      this.#underWay = undefined;
    }
    for (const command of step.commands) {
      this.#underWay = command.type === "abort" ? undefined : command;
      if (command.type === "watch") this.#watchedTo = Number(command.resourceVersion);
    }
    for (const delta of step.deltas) this.follower.take(delta);
    const deadline = this.#reflector.deadlineMs;
    expect(
      this.#underWay !== undefined || deadline !== undefined,
      "nothing is under way and nothing is due",
    ).toBe(true);
  }
}

describe("Reflector against a model API server with faults", () => {
  it("always ends up holding exactly what the server holds, and tells a consistent story on the way", () => {
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 10, maxLength: 120, size: "max" }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999_999, noNaN: true })),
        (actions, stream) => {
          const simulation = new Simulation(() => stream.next().value as number);
          for (const step of actions) simulation.run(step);
          simulation.settle();
          const held = Object.fromEntries(
            simulation.store.list().map((of) => [keyOf(of), of.metadata.resourceVersion]),
          );
          const truth = Object.fromEntries(
            [...simulation.server.objects.values()].map((of) => [keyOf(of), of.metadata.resourceVersion]),
          );
          expect(held).toEqual(truth);
          expect([...simulation.follower.held.keys()].sort()).toEqual(Object.keys(truth).sort());
          for (const of of simulation.server.objects.values()) {
            expect(simulation.store.byIndex("uid", of.metadata.uid ?? "").map(keyOf)).toEqual([keyOf(of)]);
          }
          for (const residue of ["0", "1", "2"]) {
            const expected = [...simulation.server.objects.values()].filter(
              (of) => residueOf(of) === residue,
            );
            expect(simulation.store.byIndex("residue", residue).map(keyOf).sort()).toEqual(
              expected.map(keyOf).sort(),
            );
          }
          for (const uid of simulation.follower.gone)
            expect(simulation.store.byIndex("uid", uid)).toEqual([]);
        },
      ),
      { numRuns: 2_000 },
    );
  }, 120_000);
});
