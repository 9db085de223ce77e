import type { PlainObject } from "../../rego/values.ts";
import type { InventoryAtHand } from "../inventory.ts";

const nothing = Object.freeze(Object.create(null)) as PlainObject;

/** Of an inventory what a tenant may see: the objects of his namespace, and nothing of the cluster or of others. */
export function inventoryOfNamespace(inventory: InventoryAtHand, namespace: string): InventoryAtHand {
  const whole = own(inventory.documents, "inventory");
  const there = own(own(whole, "namespace"), namespace);
  const seen = Object.create(null) as Record<string, PlainObject>;
  if (there !== undefined) seen[namespace] = there;
  const documents = { inventory: { cluster: nothing, namespace: seen } };
  return { documents, problem: (kind) => inventory.problem({ ...kind, namespace }) };
}

function own(level: PlainObject | undefined, key: string): PlainObject | undefined {
  return level !== undefined && Object.hasOwn(level, key) ? (level[key] as PlainObject) : undefined;
}
