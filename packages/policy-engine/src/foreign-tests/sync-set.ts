import { textAt } from "../foreign/plain.ts";

/**
 * What Gatekeeper is told to keep in step, as the objects of a test say it: gator puts all that it is given into the inventory,
 * while an import has to know which kinds a template looks at.
 */
export function syncSetOf(objects: readonly unknown[]): unknown {
  const kinds = new Map<string, object>();
  for (const object of objects) {
    const apiVersion = textAt(object, "apiVersion");
    const kind = textAt(object, "kind");
    if (apiVersion === undefined || kind === undefined || apiVersion.includes(".gatekeeper.sh/")) continue;
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    kinds.set(`${apiVersion} ${kind}`, { group, version, kind });
  }
  return {
    apiVersion: "syncset.gatekeeper.sh/v1alpha1",
    kind: "SyncSet",
    metadata: { name: "objects-of-the-test" },
    spec: { gvks: [...kinds.values()] },
  };
}
