import { startCluster } from "@shieldx/e2e/cluster";
const t = performance.now();
const c = await startCluster({ name: "rt2-dev", log: (m) => console.log(m) });
console.log("up", performance.now() - t, c.kubeconfig);
await new Promise((r) => process.once("SIGTERM", r));
await c.stop();
