/** A process that owns a cluster and waits to be killed: what a crashing test run looks like from outside. */
import { startCluster } from "../start.ts";

const cluster = await startCluster();
const addresses = cluster.apiServers.map((server) => server.address);
process.stdout.write(`${JSON.stringify({ dir: cluster.dir, addresses })}\n`);
setInterval(() => undefined, 2 ** 30);
