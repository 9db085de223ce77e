import { ApiError, type Client, ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "../controllers/audit/audit-index.ts";
import { Obstacles } from "../obstacles.ts";
import { FindingsWriter } from "./findings-writer.ts";
import { HOUR_MS } from "./history.ts";
import { type FindingsRecord, parseRecord, RECORD_KEY } from "./record.ts";

const { signal } = new AbortController();

function setUp() {
  const clock = new ManualClock();
  const index = new AuditIndex();
  const state: { stored: FindingsRecord | undefined; writes: number; fail?: Error } = {
    stored: undefined,
    writes: 0,
  };
  const client = {
    async apply(_type: unknown, body: { data: Record<string, string> }) {
      if (state.fail !== undefined) throw state.fail;
      state.writes++;
      state.stored = parseRecord(body.data[RECORD_KEY]);
      return body;
    },
  } as unknown as Client;
  const writer = (): FindingsWriter =>
    new FindingsWriter({
      client,
      namespace: "shieldx-system",
      stored: () => state.stored,
      clock,
      obstacles: new Obstacles({ retryMs: 30_000, logger: silentLogger }),
    });
  let made = 0;
  const offend = (): void =>
    index.set(
      {
        apiVersion: "v1",
        kind: "Pod",
        namespace: "shop",
        name: `p${made}`,
        uid: `p${made++}`,
        controllerUid: undefined,
      },
      {
        errors: 0,
        matched: ["p"],
        findings: [{ policy: "p", result: "fail", message: "no", violations: [] }],
        exempted: [],
        exceptions: [],
      },
    );
  return { clock, index, state, writer, offend };
}

describe("FindingsWriter", () => {
  it("writes at once, then what changed every ten seconds, and nothing while nothing changes", async () => {
    const { clock, index, state, writer, offend } = setUp();
    const leader = writer();
    offend();
    await leader.sync(index, signal);
    expect(state).toMatchObject({ writes: 1, stored: { objects: 1 } });
    offend();
    leader.markChanged();
    await leader.sync(index, signal);
    expect(state.writes).toBe(1);
    clock.advance(10_000);
    await leader.sync(index, signal);
    expect(state).toMatchObject({ writes: 2, stored: { objects: 2 } });
    clock.advance(10_000);
    leader.markChanged();
    await leader.sync(index, signal);
    expect(state.writes).toBe(2);
  });

  it("tells once an hour that the hour was watched", async () => {
    const { clock, index, state, writer } = setUp();
    const leader = writer();
    await leader.sync(index, signal);
    for (let hour = 0; hour < 3; hour++) {
      clock.advance(HOUR_MS);
      await leader.sync(index, signal);
      await leader.sync(index, signal);
    }
    expect(state.writes).toBe(4);
    expect(state.stored?.history.total).toEqual([0, 0, 0, 0]);
  });

  it("goes on where another leader ended", async () => {
    const { clock, index, state, writer, offend } = setUp();
    offend();
    await writer().sync(index, signal);
    const since = state.stored?.since;
    clock.advance(3 * HOUR_MS);
    await writer().sync(index, signal);
    expect(state.stored).toMatchObject({ since, history: { total: [1, null, null, 1] } });
  });

  it("tries again later what the API server refuses, and throws what is no refusal", async () => {
    const { clock, index, state, writer } = setUp();
    const leader = writer();
    state.fail = new ApiError({ verb: "apply", resource: "configmaps" }, 403, { reason: "Forbidden" });
    await leader.sync(index, signal);
    delete state.fail;
    clock.advance(10_000);
    await leader.sync(index, signal);
    expect(state.writes).toBe(0);
    clock.advance(20_000);
    await leader.sync(index, signal);
    expect(state.writes).toBe(1);
    state.fail = new Error("no connection");
    clock.advance(HOUR_MS);
    await expect(leader.sync(index, signal)).rejects.toThrow("no connection");
  });
});
