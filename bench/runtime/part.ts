import type { BenchLine, Better } from "../lib/line.ts";
import { compared } from "../lib/line.ts";
import { median } from "../lib/statistics.ts";
import type { Contestant, Programs } from "./contestants.ts";
import type { BenchServer } from "./server.ts";

/** What a part of the benchmark is given. */
export interface Bench {
  readonly server: BenchServer;
  readonly programs: Programs;
  readonly contestants: readonly Contestant[];
  /** Where what is measured runs. */
  readonly processor: number | undefined;
  readonly rounds: number;
  readonly isQuick: boolean;
  log(message: string): void;
}

/** Those of `who` that take part. */
export function among(bench: Bench, who: readonly Contestant[]): Contestant[] {
  return bench.contestants.filter((name) => who.includes(name));
}

/** Versions as the README names peers. */
export const peerNames: Record<Contestant, string> = {
  ShieldX: "ShieldX",
  "Go controller-runtime": "Go controller-runtime 0.25.2",
  "client-node": "client-node 2.0.1",
  "fluent-client": "fluent-client 3.11.11",
};

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** What we promised, beside the peers. */
  readonly goal?: number;
}

/** The lines of one figure: medians over each contestant's runs. */
export function figureLines<R>(
  figure: Figure,
  results: Partial<Record<Contestant, readonly R[]>>,
  valueIn: (run: R) => number,
): BenchLine[] {
  const values = (runs: readonly R[]): number => median(runs.map(valueIn));
  const { ShieldX: ours = [], ...others } = results;
  const peers: Record<string, number> = {};
  for (const [name, runs] of Object.entries(others)) peers[peerNames[name as Contestant]] = values(runs);
  if (figure.goal !== undefined) peers.goal = figure.goal;
  const { name, unit, better } = figure;
  return compared({ name, unit, better, ours: values(ours), peers });
}
