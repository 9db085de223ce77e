import type { ShieldPolicy } from "@shieldx/crds";
import { type BenchReport, benchPolicies } from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { loadPolicies } from "../policy/load.ts";
import { printBench } from "./print.ts";
import { type MeasuredRequest, readRequests } from "./requests.ts";

export interface PolicyBenchOptions {
  readonly file: readonly string[];
  readonly policies: readonly string[];
  readonly policy: readonly string[];
  readonly rounds: string;
  readonly seconds: string;
  readonly maxCost?: string;
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly output: "table" | "json";
}

/** How figures come about, for `--help`. */
export const METHOD = `How it is measured: each policy by itself, then all as one set, is held against every request it is about, one request after the
other in this process, after a warm-up in which what is evaluated often becomes code, as it does in a webhook. Time is that of the
judgement alone: no network, TLS or JSON, and no other work beside it; pauses of garbage collection count. It is of this machine,
and other runs differ: it never fails the command. COST is the number of units that the API server counts for CEL, or that
ShieldX counts for Rego, on the costliest request; LONG LISTS estimates what larger objects come to, by the same request with each of
its lists repeated to 30 items. The API server ends what costs more than 1,000,000 an expression or 10,000,000 a policy, ShieldX a
query in Rego at 5,000,000. What only a cluster can tell (the authorizer, hosts, signatures) is not measured, and named.`;

/** `shieldctl policy bench`. 0, or 1 where a policy costs more than `--max-cost`; UsageError for input that cannot be read. */
export async function runPolicyBench(options: PolicyBenchOptions, terminal: Terminal): Promise<number> {
  const rounds = wholeNumber("--rounds", options.rounds, 1, 100_000);
  const mostMs = wholeNumber("--seconds", options.seconds, 1, 600) * 1_000;
  const maxCost =
    options.maxCost === undefined ? undefined : wholeNumber("--max-cost", options.maxCost, 0, 1e9);
  const { requests, report } = await measure(options, { rounds, mostMs }, terminal);
  const [problem] = report.problems;
  if (problem !== undefined)
    throw new UsageError("InvalidPolicy", `${problem.kind} "${problem.name}": ${problem.error.message}`);
  printBench(report, requests, options.output, terminal);
  if (maxCost === undefined) return 0;
  const dear = report.policies.flatMap(({ policy, spent }) =>
    Object.values(spent).flatMap(({ most }) => (most > maxCost ? [{ policy, most }] : [])),
  );
  for (const { policy, most } of dear)
    terminal.err(`ShieldPolicy "${policy}" costs ${most} units, more than --max-cost ${maxCost}\n`);
  return dear.length > 0 ? 1 : 0;
}

async function measure(
  options: PolicyBenchOptions,
  limits: { readonly rounds: number; readonly mostMs: number },
  terminal: Terminal,
): Promise<{ requests: readonly MeasuredRequest[]; report: BenchReport }> {
  let clear = progress(terminal, "reading …");
  try {
    const loaded = await loadPolicies(options.policies);
    const { requests, objects } = await readRequests(options.file);
    if (requests.length === 0)
      throw new UsageError("NoRequests", `no object or request in ${options.file.join(", ")}`);
    const policies = chosen(loaded.policies, options.policy);
    const report = benchPolicies({
      ...limits,
      requests: requests.map(({ request }) => request),
      policies,
      exceptions: loaded.exceptions,
      known: [...objects, ...loaded.parameters],
      rego: await compiledRego(policies, options.regoCompiler),
      serverMinor: minorOf(options.kubernetesVersion),
      now: Date.now(),
      monotonicNow: () => performance.now(),
      onProgress(done, of) {
        clear();
        clear = progress(
          terminal,
          done === of ? "measuring all together …" : `measuring ${done + 1} of ${of} …`,
        );
      },
    });
    return { requests, report };
  } finally {
    clear();
  }
}

function chosen(policies: readonly ShieldPolicy[], only: readonly string[]): readonly ShieldPolicy[] {
  const missing = only.find((name) => !policies.some(({ metadata }) => metadata.name === name));
  if (missing !== undefined)
    throw new UsageError("UnknownPolicy", `--policy ${missing}: there is no such ShieldPolicy`);
  return policies.filter(({ metadata }) => only.length === 0 || only.includes(metadata.name));
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError("InvalidNumber", `${flag} ${text}: write a whole number from ${least} to ${most}`);
}
