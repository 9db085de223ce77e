import {
  isLintCode,
  LINT_RULES,
  type LintFinding,
  type LintSeverity,
  lintPolicy,
} from "@shieldx/policy-engine";
import { UsageError } from "../errors.ts";
import { readManifests } from "../manifests/read.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { isPolicy, parsedPolicy } from "../policy/load.ts";
import { printLint } from "./print.ts";

export interface PolicyLintOptions {
  readonly disable: readonly string[];
  readonly policy: readonly string[];
  readonly failOn: LintSeverity | "none";
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly output: "table" | "json" | "junit" | "sarif";
}

/** The findings about one policy. */
export interface LintedPolicy {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
  readonly findings: readonly LintFinding[];
}

const order: readonly LintSeverity[] = ["note", "warning", "error"];

/** `shieldctl policy lint`. 0 without findings of `--fail-on` or worse, else 1; UsageError for input that cannot be read. */
export async function runPolicyLint(
  files: readonly string[],
  options: PolicyLintOptions,
  terminal: Terminal,
): Promise<number> {
  const serverMinor = minorOf(options.kubernetesVersion);
  const unknown = options.disable.find((code) => !isLintCode(code));
  if (unknown !== undefined)
    throw new UsageError(
      "UnknownRule",
      `--disable ${unknown}: there is no such rule; there are ${Object.keys(LINT_RULES).join(", ")}`,
    );
  const clear = progress(terminal, "reading policies …");
  const linted = await lint(files, options, serverMinor).finally(clear);
  printLint(linted, options.output, terminal);
  if (options.failOn === "none") return 0;
  const least = order.indexOf(options.failOn);
  const isBad = ({ severity }: LintFinding): boolean => order.indexOf(severity) >= least;
  return linted.some(({ findings }) => findings.some(isBad)) ? 1 : 0;
}

async function lint(
  files: readonly string[],
  { disable, policy: only, regoCompiler }: PolicyLintOptions,
  serverMinor: number,
): Promise<LintedPolicy[]> {
  const found = (await readManifests(files))
    .filter(isPolicy)
    .map((manifest) => ({ policy: parsedPolicy(manifest), manifest }));
  if (found.length === 0) throw new UsageError("NoPolicies", `no ShieldPolicy in ${files.join(", ")}`);
  const missing = only.find((name) => !found.some(({ policy }) => policy.metadata.name === name));
  if (missing !== undefined)
    throw new UsageError("UnknownPolicy", `--policy ${missing}: no such ShieldPolicy in the files given`);
  const chosen = found.filter(({ policy }) => only.length === 0 || only.includes(policy.metadata.name));
  const rego = await compiledRego(
    chosen.map(({ policy }) => policy),
    regoCompiler,
  );
  return chosen.map(({ policy, manifest: { file, line } }) => ({
    policy: policy.metadata.name,
    file,
    line,
    findings: lintPolicy(policy, { serverMinor, rego }).filter(({ code }) => !disable.includes(code)),
  }));
}
