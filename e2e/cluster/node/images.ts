/** Puts image archives on the nodes of a running cluster. */
import { join } from "node:path";
import { run } from "./command.ts";
import { containerdSocket } from "./containerd.ts";

/** What is needed of a cluster: its folder and its Nodes' names. */
export interface ClusterNodes {
  readonly dir: string;
  readonly nodes: readonly { readonly name: string }[];
}

/**
 * Imports an OCI archive on every node. Pods use the image by the name it was written with and
 * `imagePullPolicy: Never` or `IfNotPresent`. Throws `COMMAND_FAILED`.
 */
export async function loadImage(cluster: ClusterNodes, archive: string): Promise<void> {
  await Promise.all(
    cluster.nodes.map((node) => importImages(join(cluster.dir, "nodes", node.name), archive)),
  );
}

/** `dir`: the node's folder. Labels keep images from being deleted for space. */
export async function importImages(dir: string, archive: string): Promise<void> {
  const ctr = ["ctr", "--address", containerdSocket, "--namespace", "k8s.io"];
  await run(join(dir, "enter"), [...ctr, "images", "import", "--local", archive], { timeoutMs: 120_000 });
}
