import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PodQuestion } from "./mutated-pods.ts";

export interface OracleAnswer {
  readonly allowed: boolean;
  readonly reasons: readonly string[] | null;
  readonly details: readonly string[] | null;
  readonly error?: string;
}

/** Folder of the Go module that wraps upstream's evaluator; a test builds it with `buildGoBinary`. */
export const oracleModule = join(import.meta.dirname, "..", "oracle");

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
