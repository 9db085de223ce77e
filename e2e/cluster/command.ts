/** Runs a program to its end, with input, and returns what it printed. */
import { spawn } from "node:child_process";
import type { CommandResult } from "./types.ts";

export interface CommandOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Never throws for a status other than 0; a program that cannot be started has code 127 and the reason in stderr. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: options.env,
    cwd: options.cwd,
    timeout: options.timeoutMs,
    killSignal: "SIGKILL",
  });
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program may end before it has read its input (EPIPE); its exit code tells what went wrong.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  child.once("error", (error) => resolve({ stdout: "", stderr: error.message, code: 127 }));
  child.once("close", (code, signal) => {
    const ended = signal === null ? "" : `\nended by ${signal}`;
    resolve({
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString() + ended,
      code: code ?? 128,
    });
  });
  return await promise;
}
