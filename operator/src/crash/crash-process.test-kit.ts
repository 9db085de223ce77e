// The operator as a process that kills itself at a point: crash-process.test-kit.ts KUBECONFIG ADDRESS POINT
import { createClient, loadCredentials } from "@shieldx/controller-runtime";
import type { WebhookAddress } from "../controllers/webhook-configuration/decide.ts";
import { runOperator } from "./enumerate.test-kit.ts";
import { KillSwitch } from "./kill-switch.test-kit.ts";

const [kubeconfig = "", address = "", point] = process.argv.slice(2);
const client = createClient({ credentials: await loadCredentials({ kubeconfig }) });
const killSwitch = new KillSwitch(point, () => process.kill(process.pid, "SIGKILL"));
await runOperator(
  killSwitch.wrap(client),
  JSON.parse(address) as WebhookAddress,
  new AbortController().signal,
  1_000,
);
