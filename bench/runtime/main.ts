/** `make bench-runtime`. QUICK, RUNS and PARTS as bench/README.md has them. */
import type { BenchLine } from "../lib/line.ts";
import { bindToProcessor, describeMachine, processorPair } from "../lib/machine.ts";
import { publishResults } from "../lib/results.ts";
import { settingsFrom } from "../lib/settings.ts";
import { contestants, preparePrograms } from "./contestants.ts";
import { events } from "./events.ts";
import { idle } from "./idle.ts";
import type { Bench } from "./part.ts";
import { rate } from "./rate.ts";
import { requests } from "./requests.ts";
import { BenchServer } from "./server.ts";
import { sync } from "./sync.ts";

/**
 * Parts in which the server works harder than whoever is measured: held to one processor it would be all that is
 * measured, so everybody has both.
 */
const shared: readonly string[] = ["events", "requests"];
const parts: Readonly<Record<string, (bench: Bench) => Promise<BenchLine[]>>> = {
  sync: (bench) => sync(bench, bench.isQuick ? 500 : 10_000),
  events: (bench) => events(bench, bench.isQuick ? 500 : 10_000, bench.isQuick ? 1 : 5),
  idle: (bench) => idle(bench, bench.isQuick ? 500 : 10_000),
  "rate-1": (bench) => rate(bench, 1),
  "rate-4": (bench) => rate(bench, 4),
  requests,
  "sync-large": (bench) => sync(bench, bench.isQuick ? 1_000 : 100_000),
};

const settings = settingsFrom(process.env, Object.keys(parts));
const began = performance.now();
const log = (message: string): void => {
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${message}`);
};

const programs = await preparePrograms(contestants);
const machine = describeMachine(["Kubernetes v1.37.2", "Go 1.26.8"]);
const wanted = settings.parts ?? Object.keys(parts);
try {
  await runParts(
    wanted.filter((name) => shared.includes(name)),
    undefined,
  );
  const processors = processorPair();
  // What this process starts from here on inherits it: the control plane. The contestants are bound one by one.
  if (processors !== undefined) bindToProcessor(process.pid, processors.server);
  else log("one processor, or no taskset: everything shares what there is");
  await runParts(
    wanted.filter((name) => !shared.includes(name)),
    processors?.measured,
  );
} finally {
  await programs.remove();
}

async function runParts(names: readonly string[], processor: number | undefined): Promise<void> {
  if (names.length === 0) return;
  await using server = await BenchServer.start();
  const bench: Bench = {
    server,
    programs,
    contestants,
    processor,
    rounds: settings.runs,
    isQuick: settings.isQuick,
    log,
  };
  for (const name of names) {
    log(`part ${name}`);
    // Kept part by part: a run that is cut short has measured something.
    publishResults("runtime", (await parts[name]?.(bench)) ?? [], machine, settings);
  }
}
