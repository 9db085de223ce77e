/** Objects of the cluster that a policy in Rego lists as `spec.rego.inventory`, and sees as `data.inventory`. */
import { namespaceOfPolicy, type ShieldPolicySpec } from "@shieldx/crds";
import type { PlainObject } from "../rego/values.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { ParamLookup } from "./params.ts";
import { isUsed, type PolicyUse } from "./policy-use.ts";

export interface InventoryKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** For a tenant's policy, its own; left out, all. */
  readonly namespace?: string | undefined;
}

/** The inventory as it is now. All policies of the cluster share one, and those of a namespace: each sees the kinds of the others, and waits for its own. */
export interface InventoryAtHand {
  /** `{inventory: ...}`, live. */
  readonly documents: PlainObject;
  /** Why objects of a kind are not known; undefined where they are. */
  readonly problem: (kind: InventoryKind) => string | undefined;
}

/** An inventory whose kinds are known as far as `lookUp` says. */
export function inventoryAtHand(documents: PlainObject, lookUp: ParamLookup): InventoryAtHand {
  return {
    documents,
    problem(kind) {
      const found = lookUp(kind);
      if (found.state === "notServed") return `the API server has no kind ${kind.kind} of ${kind.apiVersion}`;
      return found.state === "unknown" ? found.problem : undefined;
    },
  };
}

export function inventoryKindsOf({ rego }: ShieldPolicySpec): readonly InventoryKind[] {
  return rego?.inventory ?? [];
}

/** Policies that are evaluated here with an inventory, and the kinds each of them lists. */
export function inventoryReferences(
  policies: readonly CompiledPolicy[],
  on: PolicyUse,
): { readonly policy: string; readonly reference: InventoryKind }[] {
  return policies.flatMap((policy) =>
    isUsed(policy, on)
      ? inventoryKindsOf(policy.source.spec).map((kind) => ({
          policy: policy.name,
          reference: { ...kind, ...namespacePart(policy.name) },
        }))
      : [],
  );
}

function namespacePart(policy: string): Pick<InventoryKind, "namespace"> {
  const namespace = namespaceOfPolicy(policy);
  return namespace === undefined ? {} : { namespace };
}

/** Why the policy cannot be judged by the inventory, if it cannot: what is not known must not look like none. */
export function inventoryProblem(
  kinds: readonly InventoryKind[],
  inventory: InventoryAtHand | undefined,
): string | undefined {
  for (const kind of kinds) {
    const problem = inventory === undefined ? "there is no cluster to look at" : inventory.problem(kind);
    if (problem !== undefined) return `data.inventory: ${problem}`;
  }
  return undefined;
}
