import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  createClient,
  createManager,
  loadCredentials,
  realClock,
  silentLogger,
} from "@shieldx/controller-runtime";
import { waitFor } from "@shieldx/e2e/cluster";
import { openRegoPolicies } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { NAMESPACE, type TestBed } from "../cluster.test-kit.ts";
import type { WebhookAddress } from "../controllers/webhook-configuration/decide.ts";
import { buildOperator } from "../operator.ts";
import { KillSwitch, MOMENTS } from "./kill-switch.test-kit.ts";
import { type EndState, readState, reset, type Scenario } from "./scenarios.test-kit.ts";

export interface Stage {
  readonly bed: TestBed;
  readonly address: WebhookAddress;
  readonly kubeconfig: string;
}

export interface RunningOperator {
  readonly died: () => boolean;
  readonly points: readonly string[];
  /** In good order, or the remains of one that died. */
  stop(): Promise<void>;
}

/** How an operator is started that dies at a point, if one is given. */
export type Start = (stage: Stage, killAt: string | undefined) => Promise<RunningOperator>;

/** In this process. Dead, it sends nothing more and hears nothing more, which is all that a server can tell of it. */
export const inProcess: Start = async ({ address, kubeconfig }, killAt) => {
  const stop = new AbortController();
  const client = createClient({ credentials: await loadCredentials({ kubeconfig }) });
  const died = new Error("killed");
  const killSwitch = new KillSwitch(killAt, () => stop.abort(died));
  const ran = runOperator(killSwitch.wrap(client), address, stop.signal, 1);
  return {
    died: () => killSwitch.isDead,
    points: killSwitch.points,
    stop: async () => {
      const wasDead = killSwitch.isDead;
      stop.abort(new Error("the run is over"));
      if (!wasDead) await ran;
      await client.close();
    },
  };
};

/** A process of its own that sends itself SIGKILL at the point. */
export const asProcess: Start = async ({ address, kubeconfig }, killAt) => {
  const entry = fileURLToPath(new URL("./crash-process.test-kit.ts", import.meta.url));
  const child: ChildProcess = spawn(
    process.execPath,
    [entry, kubeconfig, JSON.stringify(address), killAt ?? ""],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    died: () => child.signalCode === "SIGKILL",
    points: [],
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
};

export async function runOperator(
  client: ReturnType<KillSwitch["wrap"]>,
  address: WebhookAddress,
  signal: AbortSignal,
  gracefulShutdownTimeoutMs: number,
): Promise<void> {
  const registry = new Registry();
  const manager = createManager({
    client,
    name: "shieldx-operator",
    namespace: NAMESPACE,
    metrics: registry,
    logger: silentLogger,
    // The runs do not wait 15 s for the Lease of the dead; e2e and the runtime's tests do that.
    leaderElection: false,
    gracefulShutdownTimeoutMs,
  });
  buildOperator({
    manager,
    registry,
    clock: realClock,
    logger: silentLogger,
    namespace: NAMESPACE,
    serverMinor: 37,
    webhookAddress: address,
    auditReports: 1000,
    rego: openRegoPolicies({ compilerFile: "none", clock: realClock, log: () => {} }),
  });
  await manager.run(signal);
}

export interface Enumeration {
  /** Points of the undisturbed run. */
  readonly points: number;
  /** Those that leave the server in states of their own, at which an operator was made to die. */
  readonly kills: number;
  /** Points at which an operator really died; the others were not reached, for timing decides on some repetitions. */
  readonly deaths: number;
  /** Points after which the end was another, with the difference. */
  readonly wrong: readonly string[];
}

const WRITES = /^(create|replace|delete|patch|apply) /;

/**
 * The points that differ to the world outside: every moment of every write, and of each read that was not made before.
 * A repeated read changes nothing outside, and what it changed inside dies with the process: dying there is dying after
 * the write before it.
 */
export function distinctPoints(points: readonly string[], moments: readonly string[] = MOMENTS): string[] {
  return [...new Set(points)].filter(
    (point) =>
      (WRITES.test(point) || point.includes(" #1 ")) &&
      moments.some((moment) => point.endsWith(` ${moment}`)),
  );
}

/**
 * Runs a scenario undisturbed, then once for each of its distinct points.
 * @param about only for points whose call matches
 */
export async function enumerate(
  stage: Stage,
  scenario: Scenario,
  start: Start = inProcess,
  moments: readonly string[] = MOMENTS,
  told: (line: string) => void = () => undefined,
  about = /./,
): Promise<Enumeration> {
  const undisturbed = await play(stage, scenario, undefined, inProcess, undefined);
  const points = distinctPoints(undisturbed.points, moments).filter((point) => about.test(point));
  told(`${undisturbed.points.length} points, ${points.length} to die at`);
  const wrong: string[] = [];
  let deaths = 0;
  for (const point of points) {
    try {
      const { hasDied } = await play(stage, scenario, point, start, undisturbed.end);
      if (hasDied) deaths++;
      told(`${point}: ${hasDied ? "died" : "not reached"}`);
    } catch (error) {
      wrong.push(`${point}: ${error instanceof Error ? error.message : error}`);
      told(`another end: ${wrong.at(-1)}`);
    }
  }
  return { points: undisturbed.points.length, kills: points.length, deaths, wrong };
}

async function play(
  stage: Stage,
  scenario: Scenario,
  killAt: string | undefined,
  start: Start,
  wanted: EndState | undefined,
): Promise<{ points: readonly string[]; end: EndState; hasDied: boolean }> {
  const { admin } = stage.bed;
  await reset(admin);
  const first = await start(stage, killAt);
  let second: RunningOperator | undefined;
  /** Whenever the first died, a fresh one takes over, as the kubelet would see to. */
  const state = async (): Promise<EndState> => {
    if (first.died()) second ??= await inProcess(stage, undefined);
    return readState(admin);
  };
  try {
    for (const step of scenario.steps()) {
      await step.act(stage.bed);
      await eventually("a step", state, step.until);
    }
    const text = wanted === undefined ? undefined : JSON.stringify(wanted);
    const end =
      text === undefined
        ? await settled(state)
        : await eventually("the end", state, (now) => JSON.stringify(now) === text, wanted);
    return { points: [...first.points], end, hasDied: first.died() };
  } finally {
    await first.stop();
    await second?.stop();
  }
}

/** Of an undisturbed run nothing is known but that it ends: when nothing has changed for a while. */
async function settled(read: () => Promise<EndState>): Promise<EndState> {
  let last = "";
  let since = performance.now();
  return eventually("nothing to change any more", read, (now) => {
    const text = JSON.stringify(now);
    if (text !== last) since = performance.now();
    last = text;
    return performance.now() - since > 2_500;
  });
}

async function eventually(
  what: string,
  read: () => Promise<EndState>,
  condition: (state: EndState) => boolean,
  wanted?: EndState,
): Promise<EndState> {
  let last: EndState = {};
  try {
    return await waitFor(
      what,
      async () => {
        last = await read();
        return condition(last) ? last : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 25 },
    );
  } catch (cause) {
    const differing = Object.keys(last).filter(
      (kind) => wanted === undefined || JSON.stringify(last[kind]) !== JSON.stringify(wanted[kind]),
    );
    const shown = differing.map(
      (kind) => `${kind} is ${JSON.stringify(last[kind])} not ${JSON.stringify(wanted?.[kind])}`,
    );
    throw new Error(`${what} never came: ${shown.join("; ")}`, { cause });
  }
}
