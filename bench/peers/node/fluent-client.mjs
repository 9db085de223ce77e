/** kubernetes-fluent-client's watch, which keeps a cache of its own and calls back with each object. */
import { GenericKind, K8s, RegisterKind, WatchEvent } from "kubernetes-fluent-client";
import { Follower, monotonicMs, report, settings } from "./protocol.mjs";

class Watched extends GenericKind {}
RegisterKind(Watched, {
  group: "bench.shieldx.io",
  version: "v1",
  kind: settings.kind,
  plural: settings.plural,
});

const follower = new Follower();
const watcher = K8s(Watched).Watch((object) => follower.reconcile(object, monotonicMs()));
// Its watch opens after the first list has been worked through.
watcher.events.once(WatchEvent.CONNECT, () => {
  report("synced", { at: monotonicMs() });
  if (settings.objects === 0) follower.done();
});
for (const trouble of [WatchEvent.LIST_ERROR, WatchEvent.DATA_ERROR, WatchEvent.WATCH_ERROR]) {
  watcher.events.on(trouble, (error) => console.error(error));
}
await watcher.start();
