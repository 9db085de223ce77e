import { writeFileSync } from "node:fs";
import { BenchServer } from "./bench/runtime/server.ts";
const server = await BenchServer.start();
const truth = await server.fill(Number(process.argv[2] ?? 10000));
writeFileSync("/tmp/br/dev.json", JSON.stringify({ kubeconfig: server.cluster.kubeconfig, truth }));
console.log(truth);
process.stdin.resume();
setInterval(() => {}, 1e6);
