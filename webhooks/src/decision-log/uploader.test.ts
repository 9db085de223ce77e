import { gunzipSync } from "node:zlib";
import { ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { type BufferLoss, EventBuffer } from "./buffer.ts";
import { Chunks } from "./chunks.ts";
import { DecisionLogMetrics } from "./metrics.ts";
import type { Sent } from "./upload.ts";
import { Uploader } from "./uploader.ts";

const taken: Sent = { kind: "taken" };
const event = (id: number, filler = "") => Buffer.from(JSON.stringify({ id, filler }));
/** Text that gzip cannot make smaller by much. */
const noise = (seed: number, length: number) => {
  let state = seed;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return String.fromCharCode(33 + ((state >> 16) % 90));
  }).join("");
};

interface Bed {
  readonly buffer: EventBuffer;
  readonly lost: Partial<Record<BufferLoss | "chunk", number>>;
  readonly chunks: Chunks;
}

function newBed(limits = { events: 1_000, bytes: 1_000_000 }, chunkBytes = 2_048): Bed {
  const lost: Bed["lost"] = {};
  const buffer = new EventBuffer(limits, (reason, count) => {
    lost[reason] = (lost[reason] ?? 0) + count;
  });
  const chunks = new Chunks(buffer, chunkBytes, () => {
    lost.chunk = (lost.chunk ?? 0) + 1;
  });
  return { buffer, lost, chunks };
}

const idsOf = (body: Buffer): number[] =>
  (JSON.parse(gunzipSync(body).toString("utf8")) as { id: number }[]).map(({ id }) => id);

/** Sends everything, each batch answered by the next of `answers`, then taken. */
async function sendAll({ buffer, chunks }: Bed, answers: Sent[] = []) {
  const clock = new ManualClock();
  const metrics = new DecisionLogMetrics(new Registry());
  const attempts: number[][] = [];
  const received: number[] = [];
  const stop = new AbortController();
  const uploader = new Uploader({
    buffer,
    chunks,
    clock,
    metrics,
    logger: silentLogger,
    intervalMs: 1_000,
    longestRetryMs: 60_000,
    random: () => 1,
    send: async (body) => {
      expect(body.length).toBeLessThanOrEqual(2_048);
      const answer = answers.shift() ?? taken;
      const ids = idsOf(body);
      attempts.push(ids);
      if (answer.kind === "taken") received.push(...ids);
      if (answers.length === 0 && buffer.size === 0) stop.abort();
      return answer;
    },
  });
  const done = uploader.run(stop.signal, new AbortController().signal);
  // Time passes whenever nothing else is to be done.
  for (let turn = 0; turn < 10_000 && !stop.signal.aborted; turn++) {
    await new Promise(setImmediate);
    clock.advance(500);
  }
  await done;
  return { attempts, received, metrics };
}

const count = (length: number) => Array.from({ length }, (_, id) => id);

describe("the decision log's upload", () => {
  it("sends every event once and in order, in batches that fit", async () => {
    const bed = newBed();
    for (const id of count(200)) bed.buffer.push(event(id, noise(id, 50 + (id % 7) * 90)));
    const { received, attempts } = await sendAll(bed);
    expect(received).toEqual(count(200));
    expect(attempts.length).toBeGreaterThan(5);
    expect(bed.lost).toEqual({});
  });

  it("sends the same batch again until it is taken", async () => {
    const bed = newBed();
    for (const id of count(5)) bed.buffer.push(event(id));
    const failed: Sent = { kind: "failed", why: "500" };
    const { received, attempts } = await sendAll(bed, [failed, failed, failed, taken]);
    expect(attempts).toEqual([count(5), count(5), count(5), count(5)]);
    expect(received).toEqual(count(5));
  });

  it("sends smaller batches to who takes no larger ones, and loses only what is too large alone", async () => {
    const bed = newBed();
    for (const id of count(4)) bed.buffer.push(event(id));
    const tooLarge: Sent = { kind: "tooLarge" };
    const { received, metrics } = await sendAll(bed, [tooLarge, tooLarge, tooLarge, taken]);
    // 4 are too many, then 2, then the first alone.
    expect(received).toEqual([1, 2, 3]);
    expect((await metrics.lost.get()).values.find(({ labels }) => labels.reason === "refused")?.value).toBe(
      1,
    );
  });

  it("drops the oldest when there is no room, and counts them", async () => {
    const bed = newBed({ events: 10, bytes: 1_000_000 });
    for (const id of count(25)) bed.buffer.push(event(id));
    expect(bed.lost).toEqual({ "buffer-full": 15 });
    const small = newBed({ events: 1_000, bytes: event(100).length * 3 });
    for (const id of count(5)) small.buffer.push(event(100 + id));
    expect(small.lost).toEqual({ "buffer-full": 2 });
    small.buffer.push(event(1, noise(1, 500)));
    expect(small.lost).toEqual({ "buffer-full": 2, "too-large": 1 });
    expect((await sendAll(bed)).received).toEqual(count(25).slice(15));
    expect((await sendAll(small)).received).toEqual([102, 103, 104]);
  });

  it("drops an event that fits into no batch, and goes on", async () => {
    const bed = newBed();
    bed.buffer.push(event(0));
    bed.buffer.push(event(1, noise(1, 8_000)));
    bed.buffer.push(event(2));
    expect((await sendAll(bed)).received).toEqual([0, 2]);
    expect(bed.lost).toEqual({ chunk: 1 });
  });

  it("keeps order and counts through ten thousand events", async () => {
    const bed = newBed({ events: 3_000, bytes: 10_000_000 });
    for (const id of count(10_000)) bed.buffer.push(event(id));
    const { received } = await sendAll(bed);
    expect(received).toEqual(count(10_000).slice(7_000));
  });
});
