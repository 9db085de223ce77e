/** `node e2e/cluster/main.ts COMMAND`: progress on stderr, what a shell can evaluate on stdout. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildHelm, buildKubernetes } from "./build/kubernetes.ts";
import { goToolchain } from "./build/toolchain.ts";
import { isInUse } from "./cluster-folder.ts";
import { ClusterError } from "./errors.ts";
import { type EnvironmentOptions, optionsFromEnvironment } from "./options.ts";
import { openForeignCluster } from "./providers/foreign.ts";
import { deleteKindCluster, kindKubeconfig, openKindCluster, whyNoKind } from "./providers/kind.ts";
import { loadNodeHalf, startCluster } from "./start.ts";
import { type ClusterState, listStates, readState, stateRoot } from "./state.ts";
import { removeLeftovers, stopCluster } from "./stop.ts";

const help = `A real Kubernetes cluster on this machine.

  node e2e/cluster/main.ts up          start it; it keeps running; prints "export KUBECONFIG=..."
  node e2e/cluster/main.ts down        end it, and remove what crashed clusters left; --all ends every one of this user
  node e2e/cluster/main.ts status      list clusters
  node e2e/cluster/main.ts kubeconfig  print the path of its kubeconfig
  node e2e/cluster/main.ts build       build what a cluster needs, without starting one
  node e2e/cluster/main.ts prerequisites
                                       check what nodes need of this machine; SHIELDX_INSTALL=1 installs it

  --name NAME   default "default"

Environment:
  NODES=0..3          nodes that run Pods (root; default 0: a control plane only, which needs no root)
  APISERVERS=1|2      API servers (default 1)
  K8S=1.37|1.34       Kubernetes release (default 1.37)
  GATES=A=true,B=false  feature gates
  AUDIT=1             write an audit log
  CLUSTER=kind        a kind cluster, where Docker is;  CLUSTER=existing  the current KUBECONFIG
  SHIELDX_CACHE       where built binaries are kept (default ~/.cache/shieldx)
  SHIELDX_STATE       where clusters live (default a folder under /tmp)
  SHIELDX_LOGS        folder to keep the logs of ended clusters in
`;

interface Invocation {
  readonly name: string;
  readonly all: boolean;
  readonly options: EnvironmentOptions;
}

/** Returns the exit code: 0, 1 where something failed, 2 where the command line is wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  const began = performance.now();
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        name: { type: "string", default: "default" },
        all: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const [command = "help", ...rest] = positionals;
    if (values.help || command === "help") {
      process.stdout.write(help);
      return 0;
    }
    const run = commands[command];
    if (run === undefined || rest.length > 0) {
      process.stderr.write(`unknown command: ${positionals.join(" ")}\n\n${help}`);
      return 2;
    }
    await run({ name: values.name, all: values.all, options: optionsFromEnvironment(process.env) });
    if (timed.has(command)) say(`${command}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return 0;
  } catch (error) {
    const isUsage =
      error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    const isExpected = isUsage || error instanceof ClusterError;
    say(
      error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error),
    );
    return isUsage || (error instanceof ClusterError && error.code === "INVALID_OPTION") ? 2 : 1;
  }
}

/** What takes long enough for its time to be of interest. */
const timed = new Set(["up", "down", "build"]);

const commands: Readonly<Record<string, (invocation: Invocation) => Promise<void>>> = {
  up,
  down,
  status,
  kubeconfig: async ({ name, options }) => {
    process.stdout.write(`${await kubeconfigPath(name, options)}\n`);
  },
  build,
  prerequisites: async () => {
    const go = await goToolchain();
    say(`${go.version} in ${go.command}`);
    await (await loadNodeHalf()).checkPrerequisites();
    say("the machine has what nodes need");
  },
};

async function up({ name, options }: Invocation): Promise<void> {
  if (options.provider === "existing") {
    const cluster = await openForeignCluster({ name, stop: () => Promise.resolve() });
    const { stdout } = await cluster.kubectl(["config", "current-context"]);
    say(`CLUSTER=existing: using ${stdout.trim()}; nothing was started`);
    await cluster.stop();
    return;
  }
  if (options.provider === "kind") {
    const reason = await whyNoKind();
    if (reason !== undefined) {
      say(`SKIPPED: CLUSTER=kind: ${reason}`);
      return;
    }
    await openKindCluster(name, say);
    exportKubeconfig(kindKubeconfig(name));
    return;
  }
  const running = await runningState(name);
  if (running?.isReady) {
    say(`${describe(running)} runs already; \`make cluster-down\` ends it`);
  } else {
    const cluster = await startCluster({ ...options, name, log: say });
    await cluster.detach();
  }
  const dir = join(stateRoot(), name);
  say(`kubectl and the other components are in ${dir}/bin, logs in ${dir}/logs`);
  exportKubeconfig(join(dir, "kubeconfig"));
}

async function down({ name, all, options }: Invocation): Promise<void> {
  if (options.provider === "existing") {
    say("CLUSTER=existing: it is not ours to end");
    return;
  }
  if (options.provider === "kind") {
    const reason = await whyNoKind();
    if (reason === undefined) await deleteKindCluster(name);
    else say(`SKIPPED: CLUSTER=kind: ${reason}`);
    return;
  }
  const names = all ? (await listStates(stateRoot())).map(({ state }) => state.name) : [name];
  let ended = 0;
  for (const each of names) {
    if ((await runningState(each)) === undefined) continue;
    await stopCluster(each, say);
    say(`ended ${each}`);
    ended++;
  }
  const leftovers = await removeLeftovers(say);
  if (ended + leftovers.length === 0) say("nothing was running");
}

async function status(): Promise<void> {
  const found = await listStates(stateRoot());
  if (found.length === 0) say(`no cluster in ${stateRoot()}`);
  for (const { state } of found) {
    const condition = (await isInUse(state))
      ? state.isReady
        ? "ready"
        : "starting"
      : "crashed (cluster-down removes it)";
    process.stdout.write(`${describe(state)}\t${condition}\t${state.apiServers.join(" ")}\n`);
  }
}

async function kubeconfigPath(name: string, options: EnvironmentOptions): Promise<string> {
  if (options.provider === "kind") return kindKubeconfig(name);
  if ((await runningState(name)) === undefined) {
    throw new ClusterError(
      "CLUSTER_NOT_FOUND",
      `no cluster named ${name} is running: \`make cluster-up\` starts one`,
    );
  }
  return join(stateRoot(), name, "kubeconfig");
}

async function build({ options }: Invocation): Promise<void> {
  say(await buildKubernetes(options.kubernetes ?? "1.37"));
  say(await buildHelm());
  if ((options.nodes ?? 0) > 0) await (await loadNodeHalf()).buildNodeBinaries();
}

async function runningState(name: string): Promise<ClusterState | undefined> {
  const state = await readState(join(stateRoot(), name));
  return state !== undefined && (await isInUse(state)) ? state : undefined;
}

function describe(state: ClusterState): string {
  const kind = state.detached ? "" : " (owned by a process)";
  return `${state.name}: Kubernetes ${state.kubernetes}, nodes: ${state.nodes}${kind}`;
}

function exportKubeconfig(path: string): void {
  process.stdout.write(`export KUBECONFIG=${path}\n`);
}

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}
