import { ManualClock } from "@shieldx/controller-runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Change, EventQueue, fold } from "./event-queue.ts";

const change = (type: Change["type"], uid: string, version = 1): Change => ({
  type,
  object: { metadata: { name: "a", uid, resourceVersion: String(version) } },
});
const said = (changes: readonly Change[]) =>
  changes.map(({ type, object }) => `${type} ${object.metadata?.uid}/${object.metadata?.resourceVersion}`);

describe("fold", () => {
  it("keeps what was never told as added, with its last state", () => {
    expect(said(fold([change("ADDED", "u", 1), change("MODIFIED", "u", 2)]))).toEqual(["ADDED u/2"]);
  });

  it("tells the end of one object before the beginning of the next of that name", () => {
    const changes = [
      change("MODIFIED", "u", 1),
      change("DELETED", "u", 2),
      change("ADDED", "v", 3),
      change("MODIFIED", "v", 4),
    ];
    expect(said(fold(changes))).toEqual(["DELETED u/2", "ADDED v/4"]);
  });

  it("is the same folded twice, and ends in the last state", () => {
    const type = fc.constantFrom<Change["type"]>("ADDED", "MODIFIED", "DELETED");
    const changes = fc.array(fc.tuple(type, fc.constantFrom("u", "v"), fc.integer()), { minLength: 1 });
    fc.assert(
      fc.property(changes, (all) => {
        const given = all.map(([is, uid, version]) => change(is, uid, version));
        const folded = fold(given);
        expect(fold(folded)).toEqual(folded);
        expect(folded.at(-1)?.object).toEqual(given.at(-1)?.object);
      }),
    );
  });
});

describe("EventQueue", () => {
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it("delivers an object's changes one by one in order, and again what failed, drawn together", async () => {
    const clock = new ManualClock();
    const delivered: string[] = [];
    const failures: unknown[] = [];
    let failing = true;
    const queue = new EventQueue({
      clock,
      deliver: async (_key, next) => {
        delivered.push(...said([next]));
        if (failing) throw new Error("not now");
        return true;
      },
      onFailure: (_key, _change, error) => failures.push(error),
    });
    const ran = queue.run();
    queue.push("a", change("ADDED", "u", 1));
    await settle();
    expect(delivered).toEqual(["ADDED u/1"]);
    expect(failures).toHaveLength(1);
    queue.push("a", change("MODIFIED", "u", 2));
    queue.push("a", change("MODIFIED", "u", 3));
    failing = false;
    await settle();
    expect(delivered).toEqual(["ADDED u/1", "ADDED u/3"]);
    queue.push("a", change("MODIFIED", "u", 4));
    queue.push("a", change("DELETED", "u", 5));
    await settle();
    expect(delivered.slice(2)).toEqual(["MODIFIED u/4", "DELETED u/5"]);
    expect(queue.size).toBe(0);
    await queue.shutDown();
    await ran;
  });

  it("waits before it tries again, and holds few changes for a handler that cannot follow", async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const queue = new EventQueue({
      clock,
      deliver: async () => {
        attempts++;
        return false;
      },
      onFailure: () => undefined,
    });
    const ran = queue.run();
    queue.push("a", change("ADDED", "u"));
    await settle();
    expect(attempts).toBe(1);
    clock.advance(5);
    await settle();
    expect(attempts).toBe(2);
    await queue.shutDown();
    await ran;

    const delivered: string[] = [];
    const slow = new EventQueue({
      deliver: async (_key, next) => {
        delivered.push(...said([next]));
        return true;
      },
      onFailure: () => undefined,
    });
    slow.push("a", change("ADDED", "u", 0));
    for (let version = 1; version <= 100; version++) slow.push("a", change("MODIFIED", "u", version));
    const drained = slow.run();
    await settle();
    expect(delivered).toEqual(["ADDED u/100"]);
    await slow.shutDown();
    await drained;
  });
});
