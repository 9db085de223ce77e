/** A cluster that somebody else runs, reached with kubectl and a kubeconfig. */
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKubernetes, defaultKubernetes } from "../build/kubernetes.ts";
import { type BasicCluster, kubectlEnvironment, type TokenOptions } from "../cluster.ts";
import { type CommandOptions, runCommand } from "../command.ts";
import { kubeconfigText } from "../control-plane/kubeconfig.ts";
import { ClusterError } from "../errors.ts";
import type { CommandResult } from "../types.ts";

interface ConfigView {
  readonly "current-context"?: string;
  readonly clusters?: readonly {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data"?: string };
  }[];
}

export interface ForeignInputs {
  readonly name: string;
  /** Undefined: kubectl finds it (KUBECONFIG or ~/.kube/config). */
  readonly kubeconfig?: string;
  readonly stop: () => Promise<void>;
}

/** Throws `CLUSTER_UNUSABLE` when the cluster does not answer, with what kubectl said. */
export async function openForeignCluster(inputs: ForeignInputs): Promise<BasicCluster> {
  const scratch = await mkdtemp(join(tmpdir(), "shieldx-foreign-"));
  const ambient =
    inputs.kubeconfig === undefined ? process.env : kubectlEnvironment(inputs.kubeconfig, scratch);
  const program = await kubectlProgram(scratch);
  const flatten = ["config", "view", "--raw", "--minify", "--flatten", "--output=json"];
  const view = await runCommand(program, flatten, { env: ambient });
  // Flattened into a file of our own, so that a later change of the current context does not move a test elsewhere.
  const kubeconfig = join(scratch, "kubeconfig");
  await writeFile(kubeconfig, view.stdout, { mode: 0o600 });
  const kubectl = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    runCommand(program, args, {
      ...options,
      env: { ...kubectlEnvironment(kubeconfig, scratch), ...options.env },
    });
  const ready = view.code === 0 ? await kubectl(["get", "--raw", "/readyz", "--request-timeout=10s"]) : view;
  if (ready.code !== 0) {
    await rm(scratch, { recursive: true });
    throw new ClusterError("CLUSTER_UNUSABLE", `the cluster does not answer: ${ready.stderr.trim()}`);
  }
  const config: ConfigView = JSON.parse(view.stdout);
  const target = config.clusters?.[0]?.cluster;
  const caPem = Buffer.from(target?.["certificate-authority-data"] ?? "", "base64").toString();
  let tokens = 0;
  const stop = async (): Promise<void> => {
    await inputs.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  return {
    name: inputs.name,
    kubeconfig,
    caPem,
    kubectl,
    serviceAccountKubeconfig: async (
      namespace,
      account,
      { expirationSeconds = 3_600 }: TokenOptions = {},
    ) => {
      const args = [
        "create",
        "token",
        account,
        `--namespace=${namespace}`,
        `--duration=${expirationSeconds}s`,
      ];
      const { stdout, stderr, code } = await kubectl(args);
      if (code !== 0)
        throw new ClusterError("COMMAND_FAILED", `no token for ${namespace}/${account}: ${stderr.trim()}`);
      const path = join(scratch, `token-${++tokens}.kubeconfig`);
      const text = kubeconfigText({
        cluster: inputs.name,
        server: target?.server ?? "",
        caPem,
        userName: `system:serviceaccount:${namespace}:${account}`,
        user: { kind: "token", token: stdout.trim() },
      });
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The kubectl of this machine, which fits the person's cluster best; without one, that of our own clusters. */
async function kubectlProgram(scratch: string): Promise<string> {
  if ((await runCommand("kubectl", ["version", "--client"])).code === 0) return "kubectl";
  const program = join(scratch, "kubectl");
  await symlink(await buildKubernetes(defaultKubernetes), program);
  return program;
}
