/**
 * Test tooling: one process with a manager, started by the integration tests. It stamps every ConfigMap that is
 * labelled `test=stamp` with its own identity, tells what happens as JSON lines, and exits with 1 when
 * `manager.run` rejects.
 */

import { loadCredentials } from "../credentials/index.ts";
import { ConfigMap } from "../kubernetes/resources.ts";
import { createClient } from "../transport/index.ts";
import { defineController } from "./definition.ts";
import { processSignal } from "./graceful.ts";
import { createJsonLogger } from "./json-logger.ts";
import { createManager } from "./manager.ts";

const [identity = "process", slowMs = "0"] = process.argv.slice(2);

function tell(what: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ what, identity, at: Date.now(), ...more })}\n`);
}

const logger = createJsonLogger(process.stderr);
const client = createClient({ credentials: await loadCredentials(), logger });
const manager = createManager({
  client,
  name: "runtime-test",
  namespace: "runtime-test",
  identity,
  logger,
  healthBindAddress: "127.0.0.1:0",
  metricsBindAddress: "127.0.0.1:0",
});

manager.addController(
  defineController({
    name: "stamp",
    for: { type: ConfigMap, namespace: "runtime-test", labelSelector: "test=stamp" },
    concurrency: 2,
    async reconcile(key, { client: guarded, events, get }) {
      const map = get(ConfigMap, key);
      if (map === undefined) return undefined;
      tell("reconciling", { name: key.name });
      if (key.name === "slow") await new Promise((resolve) => setTimeout(resolve, Number(slowMs)));
      await guarded.patch(ConfigMap, key, { data: { by: identity } }, { type: "merge" });
      events.event(map, { type: "Normal", reason: "Stamped", action: "Stamp", note: `by ${identity}` });
      tell("reconciled", { name: key.name });
      return key.name === "beat" ? { requeueAfterMs: 100 } : undefined;
    },
  }),
);
manager.addRunnable({
  name: "leadership",
  needsLeadership: true,
  start: (signal) => {
    tell("leading");
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  },
});

try {
  await manager.run(processSignal());
  tell("ended");
} catch (error) {
  tell("failed", { code: (error as { code?: string }).code, message: String(error) });
  process.exitCode = 1;
} finally {
  await client.close();
}
