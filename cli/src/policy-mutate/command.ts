import { UsageError } from "../errors.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { collectSuites } from "../policy-test/collect.ts";
import { printJson, printJunit, printSarif, printTable } from "./print.ts";
import { below, scoresOf } from "./run.ts";

export interface PolicyMutateOptions {
  readonly policy: readonly string[];
  readonly minScore: string;
  readonly kubernetesVersion: string;
  readonly output: "table" | "json" | "junit" | "sarif";
}

/**
 * `shieldctl policy mutate`. 0 when every policy reaches `--min-score`, 1 when one does not or its cases fail as it is;
 * UsageError for input that cannot be read.
 */
export async function runPolicyMutate(
  files: readonly string[],
  options: PolicyMutateOptions,
  terminal: Terminal,
): Promise<number> {
  const minScore = /^\d{1,3}$/.test(options.minScore) ? Number(options.minScore) : Number.NaN;
  if (!(minScore <= 100))
    throw new UsageError(
      "InvalidScore",
      `--min-score ${options.minScore}: write a whole number from 0 to 100`,
    );
  const serverMinor = minorOf(options.kubernetesVersion);
  const clear = progress(terminal, "making mistakes …");
  const suites = await collectSuites(files, options.policy).finally(clear);
  const isCel = ({ policy }: (typeof suites)[number]) => policy.spec.engine === "cel";
  for (const { policy } of suites.filter((suite) => !isCel(suite)))
    terminal.err(
      `note: ShieldPolicy "${policy.metadata.name}" is of engine ${policy.spec.engine}: only cel has mutants\n`,
    );
  const scores = scoresOf(suites.filter(isCel), serverMinor);
  switch (options.output) {
    case "table":
      printTable(scores, minScore, terminal);
      break;
    case "json":
      printJson(scores, terminal);
      break;
    case "junit":
      printJunit(scores, terminal);
      break;
    case "sarif":
      printSarif(scores, terminal);
      break;
    default:
      options.output satisfies never;
  }
  return below(scores, minScore).length > 0 ? 1 : 0;
}
