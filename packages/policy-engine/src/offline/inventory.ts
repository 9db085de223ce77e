import { Inventory } from "../inventory/index.ts";
import type { InventoryAtHand } from "../policy-set/inventory.ts";
import { metadataOf } from "../policy-set/match.ts";
import { type DefinedResources, namespaceOf, resourceOf } from "./resource-of.ts";

/** Objects in files as a cluster that holds nothing else: of a kind that is not among them there are none. */
export function inventoryInFiles(
  objects: readonly unknown[],
  defined: DefinedResources,
  defaultNamespace: string,
): InventoryAtHand {
  const inventory = new Inventory();
  for (const object of objects) {
    const known = resourceOf(object, defined);
    if (known === undefined) continue;
    const { namespace: _, ...metadata } = metadataOf(object) ?? {};
    const where = known.isNamespaced ? { namespace: namespaceOf(object, known, defaultNamespace) } : {};
    inventory.put({ ...(object as object), metadata: { ...metadata, ...where } });
  }
  return { documents: inventory.documents, problem: () => undefined };
}
