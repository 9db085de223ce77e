/**
 * Runs the compiler's WebAssembly in a process of its own, which ends when its input does. The process may read the
 * module's file and nothing else; the module sees standard input and output, no files, environment or clock of ours.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { CompilerUnavailableError } from "./errors.ts";

export interface ProcessLimits {
  /** From start, or from the answer before, to an answer. */
  readonly answerTimeoutMs: number;
  /** WebAssembly memory. */
  readonly memoryBytes: number;
  /** All answers together. */
  readonly outputBytes: number;
}

export const defaultLimits: ProcessLimits = {
  answerTimeoutMs: 20_000,
  memoryBytes: 512 * 1024 * 1024,
  outputBytes: 128 * 1024 * 1024,
};

/** Why a process gave fewer answers than it was asked for. */
export type Ending = "complete" | "timeout" | "output" | "crash";

export interface ProcessAnswers {
  /** One for each request, in their order, as far as it came. */
  readonly lines: readonly string[];
  readonly ending: Ending;
  /** The last it wrote to standard error. */
  readonly complaint: string;
}

/**
 * Given as text, so that it needs no file of its own wherever this is bundled. Standard input and output are read and
 * written here rather than by node:wasi, because a pipe may be non-blocking and the module takes "try again" for a
 * failure; the words are those of WASI preview 1 (fd_read and fd_write: a list of buffers, a place for the sum).
 */
const program = `
import { readFileSync, readSync, writeSync } from "node:fs";
import { WASI } from "node:wasi";
const pause = new Int32Array(new SharedArrayBuffer(4));
function patiently(act) {
  for (;;) {
    try {
      return act();
    } catch (error) {
      if (error.code === "EOF") return 0;
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 2);
    }
  }
}
const wasi = new WASI({ version: "preview1", args: ["rego-compiler"], env: {}, preopens: {} });
const imports = wasi.getImportObject();
let memory;
function eachBuffer(list, count, sum, move) {
  const view = new DataView(memory.buffer);
  let total = 0;
  for (let at = 0; at < count; at++) {
    const length = view.getUint32(list + 8 * at + 4, true);
    const buffer = new Uint8Array(memory.buffer, view.getUint32(list + 8 * at, true), length);
    const moved = length === 0 ? 0 : move(buffer);
    total += moved;
    if (moved < length) break;
  }
  view.setUint32(sum, total, true);
  return 0;
}
const { fd_read, fd_write } = imports.wasi_snapshot_preview1;
imports.wasi_snapshot_preview1.fd_read = (fd, ...rest) =>
  fd === 0 ? eachBuffer(...rest, (buffer) => patiently(() => readSync(0, buffer))) : fd_read(fd, ...rest);
imports.wasi_snapshot_preview1.fd_write = (fd, ...rest) =>
  fd === 1 ? eachBuffer(...rest, (buffer) => patiently(() => writeSync(1, buffer))) : fd_write(fd, ...rest);
const module = await WebAssembly.compile(readFileSync(process.argv[1]));
const instance = await WebAssembly.instantiate(module, imports);
memory = instance.exports.memory;
process.exitCode = wasi.start(instance);
`;

const pageBytes = 65_536;
const complaintLength = 2_000;

function processArguments(wasmFile: string, limits: ProcessLimits): string[] {
  return [
    "--permission",
    "--allow-wasi",
    `--allow-fs-read=${wasmFile}`,
    // Most of the code runs once or not at all, so optimising it costs more than it saves.
    "--liftoff-only",
    `--wasm-max-mem-pages=${Math.ceil(limits.memoryBytes / pageBytes)}`,
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=SecurityWarning",
    "--input-type=module",
    "--eval",
    program,
    wasmFile,
  ];
}

/** Puts the requests to one process. Rejects only where none can be started. */
export async function askProcess(
  wasmFile: string,
  requests: readonly string[],
  limits: ProcessLimits,
): Promise<ProcessAnswers> {
  const child = spawn(process.execPath, processArguments(resolve(wasmFile), limits), {
    env: {},
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const chunks: string[] = [];
  let ending: Ending = "complete";
  let complaint = "";
  let length = 0;
  const end = (why: Ending): void => {
    ending = why;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(() => end("timeout"), limits.answerTimeoutMs);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    length += chunk.length;
    if (length > limits.outputBytes) return end("output");
    chunks.push(chunk);
    if (chunk.includes("\n")) timer.refresh();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    complaint = (complaint + chunk).slice(-complaintLength);
  });
  // A process that ends early breaks the pipe; what matters is which answers are missing.
  child.stdin.on("error", () => {});
  child.stdin.end(requests.map((line) => `${line}\n`).join(""));
  try {
    await closed;
  } catch (error) {
    throw new CompilerUnavailableError("no process could be started", { cause: error });
  } finally {
    clearTimeout(timer);
  }
  // What follows the last newline is an answer cut short.
  const lines = chunks.join("").split("\n").slice(0, -1);

  if (ending === "complete" && lines.length < requests.length) ending = "crash";
  return { lines, ending, complaint: complaint.trim() };
}
