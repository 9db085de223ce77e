import { stagingOf } from "@shieldx/crds";
import { type ExplainRequests, explainRequests } from "@shieldx/policy-engine";
import { type ConnectionOptions, withClient } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { readManifests } from "../manifests/read.ts";
import { progress, type Terminal } from "../output/terminal.ts";
import { minorOf } from "../policy/command.ts";
import { compiledRego } from "../policy/compiled-rego.ts";
import { type LoadedPolicies, loadPolicies } from "../policy/load.ts";
import { printable } from "../printable.ts";
import { readFromCluster } from "./from-cluster.ts";
import { printJson, printText } from "./print.ts";
import { asAsked, type RequestOptions, subjectOf } from "./subject.ts";

export interface PolicyExplainOptions extends ConnectionOptions, RequestOptions {
  readonly file: readonly string[];
  readonly policies: readonly string[];
  readonly cluster?: boolean;
  readonly policy: readonly string[];
  readonly old: readonly string[];
  readonly kubernetesVersion: string;
  /** The Rego compiler's module; left out: SHIELDX_REGO_COMPILER, or beside the program. */
  readonly regoCompiler?: string;
  readonly verbose?: boolean;
  readonly output: "table" | "json";
}

/** `shieldctl policy explain`. 0 when nothing is refused, 1 when something is; UsageError for input that cannot be read. */
export async function runPolicyExplain(options: PolicyExplainOptions, terminal: Terminal): Promise<number> {
  if ((options.cluster === true) === options.policies.length > 0) {
    const message =
      "say where the policies are: --policies <path> for files, or --cluster for those of a cluster";
    throw new UsageError("NoPolicies", message);
  }
  const clear = progress(terminal, "judging …");
  const { manifests, input } = await read(options).finally(clear);
  const { requests, problems } = explainRequests(input);
  for (const note of stagedNotes(input.policies)) terminal.err(`${printable(note)}\n`);
  for (const { kind, name, error } of problems) {
    // Of many policies in a cluster one that is broken must not keep the others from being explained.
    if (options.cluster !== true)
      throw new UsageError("InvalidPolicy", `${kind} "${name}": ${error.message}`);
    terminal.err(`${printable(`note: ${kind} "${name}" is left out: ${error.message}`)}\n`);
  }
  const shown = requests.flatMap((explained, index) => {
    const { file = "", line = 1 } = manifests[index] ?? {};
    return explained === undefined ? [] : [{ ...explained, file, line }];
  });
  if (options.output === "json") printJson(shown, terminal);
  else printText(shown, options.verbose === true, terminal);
  return shown.some(({ explanations }) => explanations.some(({ isRefused }) => isRefused)) ? 1 : 0;
}

/** What is explained is the newest version, which may not act everywhere yet. */
function stagedNotes(policies: LoadedPolicies["policies"]): string[] {
  return policies.flatMap((policy) => {
    const staging = policy.status === undefined ? undefined : stagingOf(policy);
    if (staging === undefined) return [];
    const { name } = policy.metadata;
    return `note: the rollout of ShieldPolicy "${name}" is in step ${staging.step}; it is explained as if it were in force everywhere`;
  });
}

async function read(options: PolicyExplainOptions) {
  const manifests = await readManifests(options.file);
  if (manifests.length === 0)
    throw new UsageError("NoObjects", "give an object, or an AdmissionReview, with --file");
  const subjects = manifests.map(subjectOf);
  const olds = (await readManifests(options.old)).map(({ object }) => object);
  const loaded = await load(options);
  const policies = chosen(loaded.policies, options.policy);
  const input: ExplainRequests = {
    subjects,
    policies,
    exceptions: loaded.exceptions,
    known: loaded.parameters,
    resources: loaded.resources,
    namespace: options.namespace,
    as: asAsked(options, olds),
    serverMinor: loaded.minor,
    rego: await compiledRego(policies, options.regoCompiler),
    now: Date.now(),
  };
  return { manifests, input };
}

async function load(
  options: PolicyExplainOptions,
): Promise<LoadedPolicies & { minor: number; resources?: ExplainRequests["resources"] }> {
  if (options.cluster === true)
    return await withClient(options, (client) => readFromCluster(client, options.policy));
  return { ...(await loadPolicies(options.policies)), minor: minorOf(options.kubernetesVersion) };
}

function chosen(policies: LoadedPolicies["policies"], only: readonly string[]): LoadedPolicies["policies"] {
  const missing = only.find((name) => !policies.some(({ metadata }) => metadata.name === name));
  if (missing !== undefined)
    throw new UsageError("UnknownPolicy", `--policy ${missing}: there is no such ShieldPolicy`);
  return policies.filter(({ metadata }) => only.length === 0 || only.includes(metadata.name));
}
