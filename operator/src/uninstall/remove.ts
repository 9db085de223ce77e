import {
  type Client,
  type Clock,
  ConfigMap,
  Deployment,
  delay,
  isNotFound,
  type KubeObject,
  Lease,
  type Logger,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Pod,
  type ResourceType,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { CA_SECRET, FINDINGS_CONFIGMAP, LABEL, LEADER_LEASE, MANAGED_BY, TLS_SECRET } from "@shieldx/crds";

const WEBHOOK_LEASES = `${LABEL.component}=webhooks,${LABEL.partOf}=shieldx`;
/** What enforces, in the order it goes: a binding before the policy it names. */
const ENFORCING: readonly ResourceType[] = [
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingAdmissionPolicy,
];
const LOOK_AGAIN_MS = 500;

export interface UninstallParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace: string;
  /** For the operator to end, and then again for everything to be gone. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Thrown when something that enforces is still there, or there again, when the time is up. */
export class UninstallError extends Error {
  readonly code = "SHIELDX_UNINSTALL";
}

/**
 * Removes what the operator made outside its release: webhook configurations, admission policies, bindings, then the
 * Secrets, the record of findings and Leases. Works without an operator; one that runs is scaled down first, or it would
 * put everything back. The webhook's replicas are stopped once nothing calls them, while they still have the right to
 * take their Leases away. Policies and exceptions stay: they belong to people. Returns the names of what it removed.
 * @throws UninstallError
 */
export async function uninstall(parts: UninstallParts): Promise<string[]> {
  await stop(parts, "operator");
  const removed: string[] = [];
  const deadline = parts.clock.monotonicNow() + parts.timeoutMs;
  for (;;) {
    const found = await enforcingObjects(parts);
    if (found.length === 0) break;
    if (parts.clock.monotonicNow() > deadline) {
      throw new UninstallError(
        `still there after ${parts.timeoutMs / 1000} s: ${found.map(nameOf).join(", ")}; see whether an operator still runs, and delete them by hand`,
      );
    }
    for (const item of found) {
      if (await remove(parts, item.type, { name: item.object.metadata.name })) removed.push(nameOf(item));
    }
    if (!(await isEmpty(parts))) await delay(parts.clock, LOOK_AGAIN_MS, parts.signal);
  }
  await stop(parts, "webhooks");
  return [...new Set([...removed, ...(await removeState(parts))])];
}

interface Found {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

function nameOf({ type, object }: Found): string {
  return `${type.plural}/${object.metadata.name}`;
}

async function enforcingObjects({ client, signal }: UninstallParts): Promise<Found[]> {
  const found: Found[] = [];
  for (const type of ENFORCING) {
    try {
      const { items } = await client.list(type, {
        labelSelector: `${LABEL.managedBy}=${MANAGED_BY}`,
        signal,
      });
      found.push(...items.map((object) => ({ type, object })));
    } catch (error) {
      // Before Kubernetes 1.36 there are no MutatingAdmissionPolicies.
      if (!isNotFound(error)) throw error;
    }
  }
  return found;
}

async function isEmpty(parts: UninstallParts): Promise<boolean> {
  return (await enforcingObjects(parts)).length === 0;
}

async function stop(parts: UninstallParts, component: "operator" | "webhooks"): Promise<void> {
  const { client, clock, logger, namespace, signal, timeoutMs } = parts;
  try {
    const key = { name: `shieldx-${component}`, namespace };
    const options = { type: "merge", subresource: "scale", signal } as const;
    await client.patch(Deployment, key, { spec: { replicas: 0 } }, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    logger.info({ component }, "there is nothing to stop");
  }
  const labelSelector = `app.kubernetes.io/name=shieldx,${LABEL.component}=${component}`;
  const deadline = clock.monotonicNow() + timeoutMs;
  for (;;) {
    const { items } = await client.list(Pod, { namespace, labelSelector, signal });
    if (items.length === 0) return;
    if (clock.monotonicNow() > deadline) {
      // Of a node that died, say. Whether an operator really is gone shows when what is deleted stays deleted.
      logger.warn({ pods: items.map((pod) => pod.metadata.name) }, "Pods are still listed; going on");
      return;
    }
    await delay(clock, LOOK_AGAIN_MS, signal);
  }
}

/** Keys, certificates, what was found, and Leases: nobody needs them once nothing calls the webhook. */
async function removeState(parts: UninstallParts): Promise<string[]> {
  const { client, namespace, signal } = parts;
  const leases = await client.list(Lease, { namespace, labelSelector: WEBHOOK_LEASES, signal });
  const targets: (readonly [ResourceType, string])[] = [
    [Secret, CA_SECRET],
    [Secret, TLS_SECRET],
    [ConfigMap, FINDINGS_CONFIGMAP],
    [Lease, LEADER_LEASE],
    ...leases.items.map((lease) => [Lease, lease.metadata.name] as const),
  ];
  const removed: string[] = [];
  for (const [type, name] of targets) {
    if (await remove(parts, type, { name, namespace })) removed.push(`${type.plural}/${name}`);
  }
  return removed;
}

async function remove(
  { client, logger, signal }: UninstallParts,
  type: ResourceType,
  key: { name: string; namespace?: string },
): Promise<boolean> {
  try {
    await client.delete(type, key, { signal });
    logger.info({ resource: type.plural, name: key.name }, "removed");
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
