import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildHelm, type Cluster, type CommandResult, runCommand } from "../../cluster/index.ts";

const checkout = new URL("../../../", import.meta.url).pathname;
const socket = "/run/containerd/containerd.sock";

/**
 * A reader's shell: variables, PATH and folder last from block to block. It stands in a folder that looks like the
 * checkout, so that what a guide writes does not end up there.
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
    const tools = join(home, ".tools");
    await mkdir(tools, { recursive: true });
    for (const entry of await readdir(checkout)) {
      if (entry !== ".git") await symlink(join(checkout, entry), join(home, entry));
    }
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
      // The checkout is installed already, and is not this test's to change.
      npm_config_offline: "true",
    });
  }

  /** Runs a block; standard error is part of its output, as a reader sees it. */
  async run(script: string, timeoutMs = 300_000): Promise<CommandResult> {
    const state = join(this.#home, ".state");
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
