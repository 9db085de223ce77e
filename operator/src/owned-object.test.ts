import { ApiError, type Client, refusalOf, ValidatingAdmissionPolicy } from "@shieldx/controller-runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CACHE_LAG_MS,
  type DesiredObject,
  decideOwned,
  FOUGHT_MS,
  OwnedObjects,
  sealed,
  type Written,
} from "./owned-object.ts";

const desired = (value: string): DesiredObject & { spec: unknown } => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "shieldx-p", labels: { a: "b" } },
  spec: { value },
});
const onServer = (value: string, generation: number, over: object = {}) => ({
  ...desired(value),
  metadata: { name: "shieldx-p", labels: { a: "b" }, uid: "u", generation, ...over },
});
const written = (over: Partial<Written> = {}): Written => ({
  desired: desired("x"),
  uid: "u",
  generation: 2,
  wasCreated: false,
  writtenAt: 1000,
  isSeen: true,
  ...over,
});

describe("decideOwned", () => {
  it("does nothing about an object that is as desired", () => {
    expect(decideOwned(undefined, onServer("x", 5), desired("x"), 0)).toEqual({ kind: "nothing" });
  });

  it("writes what is missing or new, and does not call that tampering", () => {
    expect(decideOwned(undefined, undefined, desired("x"), 0)).toMatchObject({
      kind: "write",
      isRestoration: false,
    });
    expect(decideOwned(written(), onServer("x", 2), desired("y"), 0)).toMatchObject({
      kind: "write",
      isRestoration: false,
    });
  });

  it("calls a change or a deletion of what it wrote tampering", () => {
    expect(decideOwned(written(), onServer("z", 9), desired("x"), 0)).toEqual({
      kind: "write",
      isRestoration: true,
      drift: ["spec.value"],
    });
    expect(decideOwned(written(), undefined, desired("x"), 0)).toMatchObject({
      kind: "write",
      isRestoration: true,
    });
  });

  it("waits for a cache that does not show its own write yet, but not for long", () => {
    const fresh = written({ isSeen: false });
    expect(decideOwned(fresh, onServer("old", 1), desired("x"), 1000)).toEqual({
      kind: "wait",
      forMs: CACHE_LAG_MS,
      on: "cache",
    });
    expect(decideOwned(fresh, onServer("old", 1), desired("x"), 1000 + CACHE_LAG_MS)).toMatchObject({
      kind: "write",
      isRestoration: false,
    });
    const created = written({ isSeen: false, wasCreated: true });
    expect(decideOwned(created, undefined, desired("x"), 1000)).toMatchObject({ kind: "wait" });
  });

  it("is not fooled by somebody else's status write into taking a lagging cache for tampering", () => {
    const fresh = written({ isSeen: false });
    const stale = onServer("old", 1, { resourceVersion: "99" });
    expect(decideOwned(fresh, stale, desired("x"), 1000)).toMatchObject({ kind: "wait" });
    const later = onServer("z", 3);
    expect(decideOwned(fresh, later, desired("x"), 1000)).toMatchObject({
      kind: "write",
      isRestoration: true,
    });
    const recreated = onServer("z", 1, { uid: "another" });
    expect(decideOwned(fresh, recreated, desired("x"), 1000)).toMatchObject({ isRestoration: true });
  });

  it("keeps one that is being deleted and held by a finalizer: it still enforces", () => {
    const leaving = (value: string) => onServer(value, 3, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(decideOwned(written(), leaving("x"), desired("x"), 0)).toEqual({ kind: "nothing" });
    expect(decideOwned(written(), leaving("z"), desired("x"), 0)).toMatchObject({
      kind: "write",
      isRestoration: true,
    });
  });

  it("takes a cache for behind whose version is older than its write, though the generation did not move", () => {
    const fresh = written({ isSeen: false, generation: 2, resourceVersion: "100" });
    const relabelled = (resourceVersion: string) =>
      onServer("x", 2, { labels: { a: "theirs" }, resourceVersion });
    expect(decideOwned(fresh, relabelled("99"), desired("x"), 1000)).toMatchObject({ kind: "wait" });
    expect(decideOwned(fresh, relabelled("101"), desired("x"), 1000)).toMatchObject({ isRestoration: true });
  });

  describe("on what another process wrote", () => {
    const theirs = (is: string, was: string) => {
      const { annotations } = sealed(desired(was)).metadata;
      return onServer(is, 4, { annotations });
    };

    it("calls tampering what is not what it was written as", () => {
      expect(decideOwned(undefined, theirs("z", "x"), desired("x"), 0)).toMatchObject({
        isRestoration: true,
      });
    });

    it("does not call tampering what was rendered from an older policy, or by a version that did not say", () => {
      expect(decideOwned(undefined, theirs("w", "w"), desired("x"), 0)).toMatchObject({
        isRestoration: false,
      });
      expect(decideOwned(undefined, onServer("z", 4), desired("x"), 0)).toMatchObject({
        isRestoration: false,
      });
    });

    it("calls tampering a deletion that it saw, or of what must have been there", () => {
      const missing = (evidence: object) => decideOwned(undefined, undefined, desired("x"), 0, evidence);
      expect(missing({ departed: theirs("x", "x") })).toMatchObject({ isRestoration: true });
      expect(missing({ departed: theirs("w", "w") })).toMatchObject({ isRestoration: false });
      expect(missing({ wasInForce: true })).toMatchObject({ isRestoration: true });
    });
  });

  it("ends at nothing to do once its write is in the cache, from any start", () => {
    const value = fc.constantFrom("x", "y", "z");
    fc.assert(
      fc.property(fc.option(value), value, fc.boolean(), (actual, want, isSeen) => {
        const cached = actual === null ? undefined : onServer(actual, 7);
        const before = written({ isSeen, desired: desired(want) });
        const action = decideOwned(before, cached, desired(want), 1_000_000);
        if (action.kind === "nothing") expect(actual).toBe(want);
        else expect(action.kind).toBe("write");
        expect(decideOwned(before, onServer(want, 8), desired(want), 1_000_000)).toEqual({
          kind: "nothing",
        });
      }),
    );
  });
});

describe("OwnedObjects", () => {
  /** Answers every apply with what was applied, as the next generation. */
  const server = (generation: number) =>
    ({
      apply: async (_: unknown, object: { metadata: object }) => ({
        ...object,
        metadata: { ...object.metadata, uid: "u", generation },
      }),
    }) as unknown as Client;
  const ensure = (owned: OwnedObjects, cached: ReturnType<typeof onServer> | undefined, value: string) =>
    owned.ensure(server(9), ValidatingAdmissionPolicy, cached, desired(value), 0);

  it("calls it tampering too when another leader wrote the object", async () => {
    const owned = new OwnedObjects("shieldx-test");
    expect((await ensure(owned, onServer("x", 2), "x")).action).toEqual({ kind: "nothing" });
    expect((await ensure(owned, onServer("z", 3), "x")).action).toMatchObject({
      kind: "write",
      isRestoration: true,
    });
  });

  it("does not take its own write for tampering when the cache lags behind a change of mind", async () => {
    const owned = new OwnedObjects("shieldx-test");
    await ensure(owned, onServer("x", 8), "y");
    expect((await ensure(owned, onServer("x", 8), "x")).action).toEqual({ kind: "nothing" });
    expect((await ensure(owned, onServer("y", 9), "x")).action).toMatchObject({
      kind: "write",
      isRestoration: false,
    });
  });

  it("does not take what it deleted itself for deleted by somebody, whatever else is remembered of it", async () => {
    const client = {
      ...server(9),
      find: async () => undefined,
      delete: async () => undefined,
    } as unknown as Client;
    const there = onServer("x", 3);
    const evidence = { departed: there, wasInForce: true };
    const ensureWith = (owned: OwnedObjects, cached: typeof there | undefined) =>
      owned.ensure(client, ValidatingAdmissionPolicy, cached, desired("x"), 0, evidence);

    const owned = new OwnedObjects("shieldx-test");
    for (let time = 0; time < 3; time++) {
      await owned.remove(client, ValidatingAdmissionPolicy, there, "shieldx-p");
      // The cache shows it a while yet.
      if (time > 0) expect((await ensureWith(owned, there)).action).toEqual({ kind: "nothing" });
      expect((await ensureWith(owned, undefined)).action).toMatchObject({
        kind: "write",
        isRestoration: false,
      });
    }
    // The next deletion is somebody else's.
    await ensureWith(owned, onServer("x", 9));
    expect((await ensureWith(owned, undefined)).action).toMatchObject({ kind: "write", isRestoration: true });

    const wantsNone = new OwnedObjects("shieldx-test");
    await wantsNone.remove(client, ValidatingAdmissionPolicy, undefined, "shieldx-p");
    expect((await ensureWith(wantsNone, undefined)).action).toMatchObject({ isRestoration: true });
  });

  it("looks again at once when somebody else wrote or deleted in between, however often", async () => {
    for (const code of [404, 409]) {
      const fought = {
        apply: () => Promise.reject(new ApiError({ verb: "patch", resource: "things" }, code, {})),
      } as unknown as Client;
      const owned = new OwnedObjects("shieldx-test");
      for (let time = 0; time < 20; time++) {
        const { action } = await owned.ensure(
          fought,
          ValidatingAdmissionPolicy,
          onServer("z", 1),
          desired("x"),
          0,
        );
        expect(action).toEqual({ kind: "wait", forMs: FOUGHT_MS, on: "others" });
      }
    }
  });

  it("leaves alone what is somebody else's, also when nobody says whose", async () => {
    for (const managedFields of [
      undefined,
      [],
      [{ manager: "x", subresource: "status" }],
      [{ manager: "x" }],
    ]) {
      const foreign = { metadata: { name: "n", uid: "f", managedFields } };
      const held = { find: async () => foreign } as unknown as Client;
      const owned = new OwnedObjects("shieldx-test");
      await expect(
        owned.ensure(held, ValidatingAdmissionPolicy, undefined, desired("x"), 0),
      ).rejects.toSatisfy((error) => refusalOf(error)?.isPassing === false);
    }
  });
});
