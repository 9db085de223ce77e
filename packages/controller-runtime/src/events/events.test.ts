import { describe, expect, it } from "vitest";
import { ManualClock } from "../clock/manual-clock.ts";
import { silentLogger } from "../kubernetes/logger.ts";
import type { Event } from "../kubernetes/resources.ts";
import { ApiError } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { EventCorrelator, type EventInput } from "./correlator.ts";
import { cutBytes, EventBroadcaster } from "./recorder.ts";

const pod = { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "cart", uid: "1" };
const refused: EventInput = { type: "Warning", reason: "Refused", action: "Admit", note: "no" };

interface Sent {
  created: Event[];
  patched: { name: string; count: number }[];
}

function setUp(fail: (call: string) => Error | undefined = () => undefined) {
  const clock = new ManualClock();
  const sent: Sent = { created: [], patched: [] };
  const client = {
    async create(_type: unknown, event: Event) {
      const error = fail("create");
      if (error !== undefined) throw error;
      sent.created.push(event);
      return event;
    },
    async patch(_type: unknown, key: { name: string }, body: { series: { count: number } }) {
      const error = fail("patch");
      if (error !== undefined) throw error;
      sent.patched.push({ name: key.name, count: body.series.count });
      return {};
    },
  } as unknown as Client;
  const broadcaster = new EventBroadcaster({ client, instance: "operator-1", clock, logger: silentLogger });
  return { clock, sent, broadcaster, recorder: broadcaster.recorderFor("policy") };
}

describe("EventBroadcaster", () => {
  it("creates the first of a kind and tells repetitions as its series, less and less often", async () => {
    const { clock, sent, recorder } = setUp();
    recorder.event(pod, refused);
    recorder.event(pod, { ...refused, note: "still no" });
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(1);
    expect(sent.created[0]).toMatchObject({
      metadata: { namespace: "shop" },
      reportingController: "policy",
      reportingInstance: "operator-1",
      regarding: pod,
      eventTime: "2026-01-01T00:00:00.000000Z",
    });
    expect(sent.patched.map((patch) => patch.count)).toEqual([2]);
    for (let second = 0; second < 60; second++) {
      recorder.event(pod, refused);
      await clock.advanceAsync(1_000);
    }
    expect(sent.created).toHaveLength(1);
    expect(sent.patched.length).toBeLessThanOrEqual(5);
    expect(sent.patched.at(-1)?.count).toBeGreaterThan(20);
  });

  it("creates one for each occasion, however soon it follows", async () => {
    const { clock, sent, recorder } = setUp();
    for (const occasion of ["step 1", "step 2", "step 2", "step 3"])
      recorder.event(pod, { ...refused, note: occasion, occasion });
    await clock.advanceAsync(0);
    expect(sent.created.map((event) => (event as { note?: string }).note)).toEqual([
      "step 1",
      "step 2",
      "step 3",
    ]);
    expect(sent.patched.map((patch) => patch.count)).toEqual([2]);
  });

  it("tells the last count when it closes", async () => {
    const { clock, sent, broadcaster, recorder } = setUp();
    for (let time = 0; time < 7; time++) {
      recorder.event(pod, refused);
      await clock.advanceAsync(1);
    }
    await broadcaster.close();
    expect(sent.patched.at(-1)?.count).toBe(7);
    expect(clock.pending).toBe(0);
  });

  it("starts a new Event when the last occurrence is more than 6 minutes ago, or the server forgot it", async () => {
    let isGone = false;
    const { clock, sent, recorder } = setUp((call) =>
      isGone && call === "patch" ? new ApiError({ verb: "patch", resource: "events" }, 404, {}) : undefined,
    );
    recorder.event(pod, refused);
    await clock.advanceAsync(361_000);
    recorder.event(pod, refused);
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(2);
    isGone = true;
    recorder.event(pod, refused);
    await clock.advanceAsync(0);
    recorder.event(pod, refused);
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(3);
  });

  it("lets 25 different events about an object through and then one in 5 minutes", async () => {
    const { clock, sent, recorder } = setUp();
    for (let kind = 0; kind < 60; kind++) recorder.event(pod, { ...refused, reason: `Reason${kind}` });
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(25);
    await clock.advanceAsync(300_000);
    for (let kind = 0; kind < 10; kind++) recorder.event(pod, { ...refused, reason: `Later${kind}` });
    recorder.event({ ...pod, name: "other", uid: "2" }, refused);
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(27);
  });

  it("takes an object that is made again and again under one name for one object", async () => {
    const { clock, sent, recorder } = setUp();
    for (let time = 0; time < 60; time++) recorder.event({ ...pod, uid: String(time) }, refused);
    await clock.advanceAsync(0);
    expect(sent.created).toHaveLength(25);
  });

  it("never throws, whatever it is given and whatever the server answers", async () => {
    const { clock, sent, recorder, broadcaster } = setUp((call) =>
      call === "create" ? new ApiError({ verb: "create", resource: "events" }, 403, {}) : undefined,
    );
    recorder.event({}, refused);
    recorder.event(null as never, refused);
    recorder.event(pod, { ...refused, note: "x".repeat(100_000) });
    await clock.advanceAsync(10);
    await broadcaster.close();
    expect(sent.created).toEqual([]);
  });

  it("cuts texts to bytes at a character's border", () => {
    expect(cutBytes("kurz", 1024)).toBe("kurz");
    const cut = cutBytes("ü€😀".repeat(300), 1024);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(1024);
    expect(cut.isWellFormed()).toBe(true);
    expect(cut).not.toContain("\uFFFD");
  });

  it("remembers a bounded number of series and objects", () => {
    const correlator = new EventCorrelator();
    for (let object = 0; object < 20_000; object++) {
      correlator.occurred("policy", { ...pod, name: `pod-${object}` }, refused, object, object);
    }
    expect(correlator.size).toEqual({ series: 4096, objects: 4096 });
  });
});
