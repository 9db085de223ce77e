/**
 * Writing objects where the API server keeps them: 100,000 creates take the server minutes, and how objects came to be
 * is not what is measured. Custom resources are stored as JSON; each written here equals one the server wrote itself
 * but for what its content says.
 */
import { type Cluster, openEtcd } from "@shieldx/e2e/cluster";
import { group, uidOf, type Widget, widget } from "./widget.ts";

/** Adds the widgets from `first` up to, not including, `end`; `model` is one as the API server answered its creation. */
export async function addWidgets(cluster: Cluster, model: Widget, first: number, end: number): Promise<void> {
  using etcd = await openEtcd(cluster);
  await etcd.writeAll(end - first, (offset) => {
    const object = stored(model, first + offset);
    const { namespace, name } = object.metadata;
    return [`/registry/${group}/widgets/${namespace}/${name}`, Buffer.from(JSON.stringify(object))];
  });
}

function stored(model: Widget, at: number): Widget {
  const object = widget(at);
  const { creationTimestamp, generation, managedFields } = model.metadata;
  const server = { creationTimestamp, generation, managedFields, uid: uidOf(at) };
  return { ...object, metadata: { ...object.metadata, ...server } as Widget["metadata"] };
}
