import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildGoBinary } from "@shieldx/e2e/cluster/build";
import type { PodQuestion } from "./mutated-pods.ts";

export interface OracleAnswer {
  readonly allowed: boolean;
  readonly reasons: readonly string[] | null;
  readonly details: readonly string[] | null;
  readonly error?: string;
}

/** Builds upstream's evaluator from `oracle/`; needs Go, and the network the first time. */
export function buildOracle(): Promise<string> {
  return buildGoBinary({ module: join(import.meta.dirname, "..", "oracle"), output: "pod-security-oracle" });
}

/** Puts every question to one run of the oracle; answers come in the order of the questions. */
export async function askOracle(binary: string, questions: readonly PodQuestion[]): Promise<OracleAnswer[]> {
  const child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const answers: OracleAnswer[] = [];
  const reading = (async () => {
    for await (const line of createInterface({ input: child.stdout }))
      answers.push(JSON.parse(line) as OracleAnswer);
  })();
  for (const question of questions) {
    if (!child.stdin.write(`${JSON.stringify(question)}\n`)) await once(child.stdin, "drain");
  }
  child.stdin.end();
  const [[code]] = await Promise.all([closed, reading]);
  if (code !== 0) throw new Error(`the oracle ended with status ${String(code)}`);
  return answers;
}
