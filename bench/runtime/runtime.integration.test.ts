/** That the benchmark runs: everybody in it is played by our own program, run from its sources. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MeasuredProcess } from "../lib/measured-process.ts";
import type { Contestant, Programs } from "./contestants.ts";
import { events } from "./events.ts";
import type { Bench } from "./part.ts";
import { rate } from "./rate.ts";
import { requests } from "./requests.ts";
import { BenchServer } from "./server.ts";
import { sync } from "./sync.ts";

const program = join(import.meta.dirname, "..", "peers", "shieldx", "shieldx.mjs");
const programs: Programs = {
  start(_who, { kubeconfig, variables }) {
    const env: Record<string, string> = { KUBECONFIG: kubeconfig };
    for (const [variable, value] of Object.entries(variables)) env[`BENCH_${variable}`] = String(value);
    return new MeasuredProcess({ command: process.execPath, args: [program], env });
  },
  remove: async () => undefined,
};

describe("the benchmark of the runtime", () => {
  let server: BenchServer;
  beforeAll(async () => {
    server = await BenchServer.start();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  const bench = (contestants: readonly Contestant[]): Bench => ({
    server,
    programs,
    contestants,
    processor: undefined,
    rounds: 1,
    isQuick: true,
    log: () => undefined,
  });

  it("compares caches that hold the same", async () => {
    const lines = await sync(bench(["ShieldX", "fluent-client"]), 150);
    expect(lines.map((line) => [line.name, line.peer])).toContainEqual([
      "150 objects reconciled once",
      "fluent-client 3.11.11",
    ]);
    expect(lines.every((line) => line.value > 0 && line.peerValue > 0)).toBe(true);
  });

  it("follows each update to its reconcile", async () => {
    const lines = await events(bench(["ShieldX"]), 150, 0.5);
    expect(lines.map((line) => line.peer)).toEqual(["goal"]);
  });

  it("counts reconciles and requests", async () => {
    const lines = [
      ...(await rate(bench(["ShieldX", "Go controller-runtime"]), 4)),
      ...(await requests(bench(["ShieldX", "client-node"]))),
    ];
    expect(lines.map((line) => line.unit)).toEqual(["a second", "a second", "a second"]);
  });
});
