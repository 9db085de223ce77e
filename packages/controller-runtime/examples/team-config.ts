/** Keeps a ConfigMap "team" in every Namespace that is labelled example.shieldx.io/team=NAME. */
import * as runtime from "@shieldx/controller-runtime";
import { ConfigMap, Namespace } from "@shieldx/controller-runtime";

const label = "example.shieldx.io/team";
const fieldManager = "team-config";

const logger = runtime.createJsonLogger();
const client = runtime.createClient({ credentials: await runtime.loadCredentials(), logger });
const manager = runtime.createManager({
  client,
  name: "team-config",
  namespace: "default",
  logger,
  healthBindAddress: process.env.HEALTH_BIND_ADDRESS ?? "127.0.0.1:8081",
});

const teamConfig = runtime.defineController({
  name: "team-config",
  for: Namespace,
  watches: [
    // Somebody edits or deletes our ConfigMap: look at its Namespace again.
    runtime.watch({
      type: ConfigMap,
      labelSelector: label,
      keepManagedFieldsOf: fieldManager,
      map: ({ metadata }) => (metadata.namespace === undefined ? [] : [{ name: metadata.namespace }]),
    }),
  ],
  async reconcile({ name }, { client, events, get }) {
    const namespace = get(Namespace, { name });
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
    const key = { namespace: name, name: "team" };
    const existing = get(ConfigMap, key);
    const team = namespace.metadata.labels?.[label];
    if (team === undefined) {
      if (existing !== undefined) await client.delete(ConfigMap, key);
      return;
    }
    const metadata = { ...key, labels: { [label]: team } };
    const desired = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { team } };
    const options = { fieldManager, force: true };
    const { changed } = await runtime.applyIfChanged(client, ConfigMap, existing, desired, options);
    const note = `the team is ${team}`;
    if (changed) events.event(namespace, { type: "Normal", reason: "TeamSet", action: "Apply", note });
  },
});

manager.addController(teamConfig);
await manager.run(runtime.processSignal()).finally(() => client.close());
