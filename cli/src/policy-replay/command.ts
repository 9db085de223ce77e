import type { ShieldPolicy } from "@shieldx/crds";
import {
  type PolicySetProblem,
  type ReplayReport,
  replayRequests,
  type SetInFiles,
} from "@shieldx/policy-engine";
import { type ConnectionOptions, withClient } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { readManifests } from "../manifests/read.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { loadPolicies } from "../policy/load.ts";
import { readFromCluster } from "../policy-explain/from-cluster.ts";
import { printable } from "../printable.ts";
import { printReplay, type ReplayedRecord } from "./print.ts";
import { type RecordedRequest, readRecords } from "./records.ts";

export interface PolicyReplayOptions extends ConnectionOptions {
  readonly old: readonly string[];
  readonly new: readonly string[];
  readonly cluster?: boolean;
  readonly known: readonly string[];
  readonly failOn: "any" | "denied" | "none";
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly output: "table" | "json" | "junit";
}

/** `shieldctl policy replay`. 0 when nothing changes, 1 by `--fail-on`; UsageError for input that cannot be read. */
export async function runPolicyReplay(
  paths: readonly string[],
  options: PolicyReplayOptions,
  terminal: Terminal,
): Promise<number> {
  if ((options.cluster === true) === options.old.length > 0)
    throw new UsageError(
      "NoPolicies",
      "say where the policies so far are: --old <path> for files, or --cluster for those of the cluster",
    );
  if (options.new.length === 0)
    throw new UsageError("NoPolicies", "say where the policies to be are: --new <path>");
  const clear = progress(terminal, "judging …");
  const { report, records, passedOver, unknown } = await judge(paths, options).finally(clear);
  for (const side of ["old", "new"] as const)
    for (const problem of report.problems[side]) tellProblem(problem, side, options, terminal);
  if (unknown.length > 0)
    terminal.err(
      `${printable(`note: labels of these namespaces are not known, so that policies which choose by them are about none of them: ${unknown.join(", ")}; give the Namespaces with --known`)}\n`,
    );
  for (const [reason, count] of passedOver)
    terminal.err(`${printable(`note: passed over: ${count} ${reason}`)}\n`);
  printReplay(records, options.output, terminal);
  const has = (change: string) => records.some((record) => record.change === change);
  if (options.failOn === "none") return 0;
  const isOther = options.failOn === "any" && (has("allowed") || has("message"));
  return has("denied") || isOther ? 1 : 0;
}

async function judge(paths: readonly string[], options: PolicyReplayOptions) {
  const { requests, passedOver } = await readRecords(paths);
  if (requests.length === 0)
    throw new UsageError("NoRecords", `no request that can be judged in ${paths.join(", ")}`);
  const known = (await readManifests(options.known)).map(({ object }) => object);
  const before = await sideBefore(options, known);
  const after = await sideInFiles(options.new, [...before.set.known, ...known], options.regoCompiler);
  const report: ReplayReport = replayRequests({
    requests: requests.map(({ request }) => request),
    old: before.set,
    new: { ...after, resources: before.set.resources },
    namespace: options.namespace,
    serverMinor: before.minor ?? minorOf(options.kubernetesVersion),
    now: Date.now(),
  });
  const records = report.requests.map((replayed, index): ReplayedRecord => {
    const { file = "", line = 1 } = requests[index] ?? {};
    return { ...replayed, file, line };
  });
  const chooses = [...before.set.policies, ...after.policies].some(choosesNamespaces);
  const unknown = chooses ? unknownNamespaces(requests, [...before.set.known, ...after.known]) : [];
  return { report, records, passedOver, unknown };
}

/** Of many policies in a cluster one that is broken must not keep the others from being judged; nor one whose bundle is not here. */
function tellProblem(
  { kind, name, error }: PolicySetProblem,
  side: "old" | "new",
  { cluster }: PolicyReplayOptions,
  terminal: Terminal,
): void {
  const isOfCluster = side === "old" && cluster === true;
  if (!isOfCluster && error.code !== "BundleFailed")
    throw new UsageError("InvalidPolicy", `--${side}: ${kind} "${name}": ${error.message}`);
  terminal.err(`${printable(`note: ${kind} "${name}" is left out (${side}): ${error.message}`)}\n`);
}

/** Whether it looks at more of a namespace than its name. */
function choosesNamespaces({ spec }: ShieldPolicy): boolean {
  const { matchLabels = {}, matchExpressions = [] } = spec.matchConstraints?.namespaceSelector ?? {};
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  return keys.some((key) => key !== "kubernetes.io/metadata.name");
}

/** As many as a line shows. */
const mostNames = 10;

function unknownNamespaces(requests: readonly RecordedRequest[], known: readonly unknown[]): string[] {
  const named = new Set(known.map((object) => namespaceNamed(object)));
  const missing = requests
    .map(({ request }) => request.namespace ?? "")
    .filter((name) => name !== "" && !named.has(name));
  const distinct = [...new Set(missing)].sort();
  return distinct.length > mostNames ? [...distinct.slice(0, mostNames), "…"] : distinct;
}

function namespaceNamed(object: unknown): string | undefined {
  const { kind, metadata } = object as { kind?: unknown; metadata?: { name?: unknown } };
  return kind === "Namespace" && typeof metadata?.name === "string" ? metadata.name : undefined;
}

/** What the cluster has the new policies see, too: they are to be put there. */
async function sideBefore(
  options: PolicyReplayOptions,
  known: readonly unknown[],
): Promise<{ set: SetInFiles; minor?: number }> {
  if (options.cluster !== true) return { set: await sideInFiles(options.old, known, options.regoCompiler) };
  const { policies, exceptions, parameters, resources, minor } = await withClient(options, (client) =>
    readFromCluster(client, []),
  );
  const rego = await compiledRego(policies, options.regoCompiler);
  return { set: { policies, exceptions, known: [...parameters, ...known], resources, rego }, minor };
}

async function sideInFiles(
  paths: readonly string[],
  known: readonly unknown[],
  regoCompiler: string | undefined,
): Promise<SetInFiles> {
  const { policies, exceptions, parameters } = await loadPolicies(paths);
  // What is beside the policies is meant for them: of two objects of one name it counts.
  return {
    policies,
    exceptions,
    known: [...known, ...parameters],
    rego: await compiledRego(policies, regoCompiler),
  };
}
