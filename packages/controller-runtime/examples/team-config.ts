/** Keeps a ConfigMap "team" in every Namespace that is labelled example.shieldx.io/team=NAME. */
import {
  applyIfChanged,
  ConfigMap,
  createClient,
  createJsonLogger,
  createManager,
  defineController,
  loadCredentials,
  Namespace,
  processSignal,
  watch,
} from "@shieldx/controller-runtime";

const label = "example.shieldx.io/team";
const fieldManager = "team-config";

const logger = createJsonLogger();
const client = createClient({ credentials: await loadCredentials(), logger });
const manager = createManager({
  client,
  name: "team-config",
  namespace: "default",
  logger,
  healthBindAddress: process.env.HEALTH_BIND_ADDRESS ?? "127.0.0.1:8081",
});

const teamConfig = defineController({
  name: "team-config",
  for: Namespace,
  // Somebody edits or deletes our ConfigMap: look at its Namespace again.
  watches: [
    watch({
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
    const { changed } = await applyIfChanged(client, ConfigMap, existing, desired, {
      fieldManager,
      force: true,
    });
    if (changed)
      events.event(namespace, {
        type: "Normal",
        reason: "TeamSet",
        action: "Apply",
        note: `team is ${team}`,
      });
  },
});

manager.addController(teamConfig);
await manager.run(processSignal()).finally(() => client.close());
