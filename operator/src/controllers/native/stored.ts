import {
  type KubeObject,
  type ReconcileContext,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@shieldx/controller-runtime";
import {
  type Head,
  isGroupName,
  membersOf,
  type RenderedBinding,
  type RenderedValidatingAdmissionPolicy,
} from "@shieldx/policy-engine";
import { policyOfNative } from "../../names.ts";
import type { PlannedObject, Stored } from "./plan.ts";

/**
 * What of ours is on the server. What was written last counts more than what the cache shows, which may lag, or which
 * somebody may have changed: it is what has to be put back.
 */
export class StoredObjects {
  readonly #written = new Map<string, Stored>();

  noteWritten(written: PlannedObject): void {
    const { name, wants, merged } = written;
    this.#written.set(name, {
      name,
      members: merged === undefined ? wants : merged.members,
      merged,
      written,
    });
  }

  noteRemoved(name: string): void {
    this.#written.delete(name);
  }

  list(
    context: Pick<ReconcileContext, "list" | "get">,
    uidOf: (policy: string) => string | undefined,
  ): Stored[] {
    const names = new Set([
      ...this.#written.keys(),
      ...[...context.list(ValidatingAdmissionPolicy), ...context.list(ValidatingAdmissionPolicyBinding)]
        .map(({ metadata }) => metadata.name)
        .filter((name) => isGroupName(name) || policyOfNative(name) !== undefined),
    ]);
    return [...names].map((name) => this.#written.get(name) ?? read(context, name, uidOf));
  }
}

function read(
  context: Pick<ReconcileContext, "get">,
  name: string,
  uidOf: (policy: string) => string | undefined,
): Stored {
  const policy = context.get(ValidatingAdmissionPolicy, { name });
  const binding = context.get(ValidatingAdmissionPolicyBinding, { name });
  if (!isGroupName(name)) {
    const alone = policyOfNative(name) ?? "";
    // Whose it was is its owner's to say; where somebody took that away, its name's.
    const uid = ownerUid(policy ?? binding, alone) ?? uidOf(alone) ?? "";
    const isThere = policy !== undefined && binding !== undefined;
    return { name, members: isThere ? [{ policy: alone, uid }] : [], merged: undefined, written: undefined };
  }
  const members = policy === undefined ? undefined : membersOf(policy);
  const head = policy === undefined || binding === undefined ? undefined : headOf(policy, binding);
  if (members === undefined || head === undefined)
    return { name, members: [], merged: undefined, written: undefined };
  return { name, members, merged: { head, members }, written: undefined };
}

function ownerUid(object: KubeObject | undefined, policy: string): string | undefined {
  return object?.metadata.ownerReferences?.find(({ name }) => name === policy)?.uid;
}

function headOf(
  { spec }: ValidatingAdmissionPolicy,
  { spec: binding }: ValidatingAdmissionPolicyBinding,
): Pick<Head, "spec" | "validationActions"> {
  const { failurePolicy, matchConstraints, matchConditions } =
    spec as unknown as RenderedValidatingAdmissionPolicy["spec"];
  const { validationActions } = binding as unknown as RenderedBinding["spec"];
  return { spec: { failurePolicy, matchConstraints, matchConditions }, validationActions };
}
