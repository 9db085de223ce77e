/** Our runtime as its README shows it. */
import {
  ConfigMap,
  createClient,
  createManager,
  defineController,
  loadCredentials,
  resourceType,
  silentLogger,
} from "@shieldx/controller-runtime";
import { Follower, measureRequests, monotonicMs, report, settings } from "../node/protocol.mjs";

const client = createClient({ credentials: await loadCredentials() });
const manager = createManager({
  client,
  name: "bench",
  namespace: "bench",
  leaderElection: false,
  logger: silentLogger,
});

function follow() {
  const { kind, plural } = settings;
  const type = resourceType({ group: "bench.shieldx.io", version: "v1", kind, plural, namespaced: true });
  const follower = new Follower();
  const reconcile = async (key, { get }) => {
    const at = monotonicMs();
    const object = get(type, key);
    if (object !== undefined) follower.reconcile(object, at);
  };
  manager.addController(defineController({ name: "follow", for: type, reconcile }));
  void manager
    .informer(type)
    .synced()
    .then(() => {
      report("synced", { at: monotonicMs() });
      if (settings.objects === 0) follower.done();
    });
}

function rate() {
  const keys = Array.from({ length: settings.keys }, (_, at) => ({
    namespace: "bench",
    name: `key-${String(at).padStart(6, "0")}`,
  }));
  let beganAt;
  let done = 0;
  const reconcile = async () => {
    done++;
    if (done < settings.keys) return;
    report("batch", { ms: monotonicMs() - beganAt, keys: done });
    beganAt = undefined;
    done = 0;
  };
  const map = () => {
    beganAt ??= monotonicMs();
    return keys;
  };
  const { workers: concurrency } = settings;
  const none = resourceType({
    group: "bench.shieldx.io",
    version: "v1",
    kind: "Gadget",
    plural: "gadgets",
    namespaced: true,
  });
  manager.addController(
    defineController({
      name: "rate",
      for: none,
      watches: [{ type: ConfigMap, map }],
      concurrency,
      reconcile,
    }),
  );
}

if (settings.scenario === "requests") {
  const key = { namespace: "bench", name: "small" };
  await measureRequests(() => client.get(ConfigMap, key));
  await client.close();
} else {
  if (settings.scenario === "rate") rate();
  else follow();
  await manager.run(new AbortController().signal);
}
