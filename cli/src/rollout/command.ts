import { setTimeout as delay } from "node:timers/promises";
import { type ConnectionOptions, withClient } from "../connect.ts";
import { secondsOf } from "../duration.ts";
import type { Terminal } from "../output/terminal.ts";
import { printable } from "../printable.ts";
import { printDiff, printRollout } from "./print.ts";
import { readRollout } from "./read.ts";
import { ask, type RolloutVerb } from "./request.ts";

type ClusterOptions = Omit<ConnectionOptions, "namespace">;

export interface ShowOptions extends ClusterOptions {
  readonly output: "table" | "json";
}

export interface AskOptions extends ClusterOptions {
  readonly timeout: string;
}

const lookEveryMs = 300;

/** `shieldctl policy rollout status`. 0, or 1 where the version was taken back. */
export async function runRolloutStatus(
  name: string,
  options: ShowOptions,
  terminal: Terminal,
): Promise<number> {
  const seen = await withClient({ ...options, namespace: "" }, (client) => readRollout(client, name));
  if (options.output === "json") {
    const { inForce, ...rollout } = seen.rollout;
    const kept = inForce === undefined ? {} : { inForce: inForce.digest };
    terminal.out(`${JSON.stringify({ policy: seen.policy, ...rollout, ...kept }, null, 2)}\n`);
  } else printRollout(seen, terminal);
  return seen.rollout.stage === "RolledBack" ? 1 : 0;
}

/** `shieldctl policy rollout pause|resume|promote|abort`. 1 where it was not done; UsageError where nobody answers. */
export async function runRolloutRequest(
  verb: RolloutVerb,
  name: string,
  options: AskOptions,
  terminal: Terminal,
): Promise<number> {
  const timeoutMs = secondsOf("--timeout", options.timeout) * 1000;
  const { accepted, message, rollout } = await withClient({ ...options, namespace: "" }, (client) =>
    ask({
      client,
      policy: name,
      verb,
      timeoutMs,
      pause: () => delay(lookEveryMs),
      now: () => performance.now(),
    }),
  );
  const hasMoved = verb === "promote" || verb === "abort";
  const done = hasMoved ? `${message}; now in step ${rollout.step}` : message;
  const text = accepted ? `${name}: ${done}` : `${name}: not done: ${message}`;
  (accepted ? terminal.out : terminal.err)(`${printable(text)}\n`);
  return accepted ? 0 : 1;
}

/** `shieldctl policy diff`. 0, whatever was found. */
export async function runPolicyDiff(name: string, options: ShowOptions, terminal: Terminal): Promise<number> {
  const seen = await withClient({ ...options, namespace: "" }, (client) => readRollout(client, name));
  if (options.output === "json") {
    const { step, digest, found } = seen.rollout;
    const { objects = [], namespaces = [], moreObjects = 0, moreNamespaces = 0 } = found ?? {};
    const shown = { policy: seen.policy, step, digest, objects, moreObjects, namespaces, moreNamespaces };
    terminal.out(`${JSON.stringify(shown, null, 2)}\n`);
  } else printDiff(seen, terminal);
  return 0;
}
