import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildRegoCompiler } from "../../cluster/build/index.ts";
import { buildHelm, type Cluster, type CommandResult, runCommand } from "../../cluster/index.ts";

const checkout = new URL("../../../", import.meta.url).pathname;
const socket = "/run/containerd/containerd.sock";

/** A clone with the files as they are now (and their times, so that nothing is installed anew) and our node_modules. */
async function copyCheckout(home: string): Promise<void> {
  const script = `git clone --quiet --no-checkout ${checkout} ${home} && cd ${checkout} &&
    git ls-files -z | xargs -0 cp --parents --preserve=mode,timestamps --no-dereference --target-directory=${home} &&
    ln -s ${checkout}node_modules ${home}/node_modules && git -C ${home} reset --quiet`;
  const { code, stderr } = await runCommand("bash", ["-c", script], { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`the checkout could not be copied: ${stderr}`);
}

/**
 * A reader's shell: variables, PATH and folder last from block to block. It stands in a checkout of its own, so that
 * what a guide writes stays there.
 */
export class GuideShell {
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(home: string, env: NodeJS.ProcessEnv) {
    this.#home = home;
    this.#env = env;
  }

  /** With kubectl, helm and the node's ctr on PATH, and the cluster's administrator logged in. */
  static async open(cluster: Cluster, name: string): Promise<GuideShell> {
    const home = join(cluster.dir, "readers", name);
    const tools = join(cluster.dir, "readers", `${name}.tools`);
    await mkdir(tools, { recursive: true });
    await copyCheckout(home);
    await symlink(cluster.binary("kubectl"), join(tools, "kubectl"));
    await symlink(await buildHelm(), join(tools, "helm"));
    const [node] = cluster.nodes;
    if (node !== undefined) {
      const enter = join(cluster.dir, "nodes", node.name, "enter");
      await writeFile(join(tools, "ctr"), `#!/bin/sh\nexec ${enter} ctr --address ${socket} "$@"\n`);
      await chmod(join(tools, "ctr"), 0o755);
    }
    return new GuideShell(home, {
      ...process.env,
      PATH: `${tools}:${process.env.PATH}`,
      HOME: home,
      KUBECONFIG: cluster.kubeconfig,
      NO_COLOR: "1",
      // A release has it beside shieldctl.
      SHIELDX_REGO_COMPILER: await buildRegoCompiler(),
      // The checkout is installed already, and is not this test's to change.
      npm_config_offline: "true",
    });
  }

  /** Runs a block; standard error is part of its output, as a reader sees it. */
  async run(script: string, timeoutMs = 580_000): Promise<CommandResult> {
    const state = `${this.#home}.state`;
    const whole = [
      "set -eo pipefail",
      `cd ${this.#home}`,
      `if [ -f ${state} ]; then . ${state}; fi`,
      `trap 'code=$?; { export -p; echo "cd \\"$PWD\\""; } > ${state}; exit $code' EXIT`,
      "exec 2>&1",
      script,
    ].join("\n");
    return await runCommand("bash", ["-c", whole], { env: this.#env, timeoutMs });
  }
}
