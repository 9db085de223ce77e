import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { collectSuites } from "./collect.ts";
import { printJson, printJunit, printSarif, printTable } from "./print.ts";
import { runSuites, totalsOf } from "./run.ts";

export interface PolicyTestOptions {
  readonly policy: readonly string[];
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly requireTests?: boolean;
  readonly verbose?: boolean;
  readonly output: "table" | "json" | "junit" | "sarif";
}

/**
 * `shieldctl policy test`. 0 when every case comes out as expected, 1 when one does not, or there is a policy without any and
 * `--require-tests`; UsageError for input that cannot be read.
 */
export async function runPolicyTest(
  files: readonly string[],
  options: PolicyTestOptions,
  terminal: Terminal,
): Promise<number> {
  const serverMinor = minorOf(options.kubernetesVersion);
  const clear = progress(terminal, "running tests …");
  const read = async () => {
    const suites = await collectSuites(files, options.policy);
    const policies = suites.map(({ policy }) => policy);
    return { suites, rego: await compiledRego(policies, options.regoCompiler) };
  };
  const { suites, rego } = await read().finally(clear);
  const results = runSuites(suites, serverMinor, rego);
  switch (options.output) {
    case "table":
      printTable(results, options.verbose === true, terminal);
      break;
    case "json":
      printJson(results, terminal);
      break;
    case "junit":
      printJunit(results, terminal);
      break;
    case "sarif":
      printSarif(results, terminal);
      break;
    default:
      options.output satisfies never;
  }
  const { failed, untested } = totalsOf(results);
  return failed > 0 || (options.requireTests === true && untested.length > 0) ? 1 : 0;
}
