/** @kubernetes/client-node as its README shows it: an informer, and an API object for single calls. */
import { CoreV1Api, CustomObjectsApi, KubeConfig, makeInformer } from "@kubernetes/client-node";
import { Follower, measureRequests, monotonicMs, report, settings } from "./protocol.mjs";

const config = new KubeConfig();
config.loadFromDefault();

function follow() {
  const [group, version, plural] = ["bench.shieldx.io", "v1", settings.plural];
  const api = config.makeApiClient(CustomObjectsApi);
  const follower = new Follower();
  const informer = makeInformer(config, `/apis/${group}/${version}/${plural}`, async () => {
    const list = await api.listCustomObjectForAllNamespaces({ group, version, resourcePlural: plural });
    // The handlers of all items run before anything else can: the one queued here comes right after them.
    setImmediate(() => {
      report("synced", { at: monotonicMs() });
      if (settings.objects === 0) follower.done();
    });
    return list;
  });
  const handle = (object) => follower.reconcile(object, monotonicMs());
  informer.on("add", handle);
  informer.on("update", handle);
  informer.on("error", (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  void informer.start();
}

if (settings.scenario === "requests") {
  const api = config.makeApiClient(CoreV1Api);
  await measureRequests(() => api.readNamespacedConfigMap({ namespace: "bench", name: "small" }));
} else {
  follow();
}
