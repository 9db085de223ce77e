/** For tests of sudden ends: starts a cluster with one node in a process of its own, and waits to be killed. */
import { startCluster } from "../index.ts";

const cluster = await startCluster({ nodes: 1 });
process.send?.({ id: cluster.id, dir: cluster.dir, kubeconfig: cluster.kubeconfig });
setInterval(() => undefined, 60_000);
