import type { ObjectMeta } from "@shieldx/controller-runtime";
import { LABEL, MANAGED_BY } from "@shieldx/crds";
import { FIELD_MANAGER } from "../../names.ts";

const OWN_MANAGERS: ReadonlySet<string> = new Set(Object.values(FIELD_MANAGER));

/**
 * Whether ShieldX itself keeps the object: deleted, it would only be made again. It bears our label, and ShieldX has written it;
 * the label alone may be set by whoever may write the object, and comes along in a copy.
 */
export function isKept({ labels = {}, managedFields = [] }: ObjectMeta): boolean {
  if (labels[LABEL.generator] !== undefined) return isWrittenBy(managedFields, FIELD_MANAGER.generation);
  return labels[LABEL.managedBy] === MANAGED_BY && isWrittenBy(managedFields, ...OWN_MANAGERS);
}

function isWrittenBy(fields: NonNullable<ObjectMeta["managedFields"]>, ...managers: string[]): boolean {
  return fields.some(
    ({ manager, subresource }) => subresource === undefined && managers.includes(manager ?? ""),
  );
}
