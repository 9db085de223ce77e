import { CA_SECRET, FINDINGS_CONFIGMAP, LABEL, MANAGED_BY, TLS_SECRET } from "@shieldx/crds";

/** Which Leases are those of webhook replicas. */
export function replicaLeases(namespace: string): { namespace: string; labelSelector: string } {
  return { namespace, labelSelector: `${LABEL.component}=webhooks` };
}

/** Which cluster-wide objects are ours. */
export const OURS = { labelSelector: `${LABEL.managedBy}=${MANAGED_BY}` } as const;

/** Only this one Secret is listed and watched, so that the right to read it can name it. */
export function caSecret(namespace: string): { namespace: string; fieldSelector: string } {
  return { namespace, fieldSelector: `metadata.name=${CA_SECRET}` };
}

/** What replicas serve: without it none can start, so that whoever keeps it must see it go. */
export function tlsSecret(namespace: string): { namespace: string; fieldSelector: string } {
  return { namespace, fieldSelector: `metadata.name=${TLS_SECRET}` };
}

/** The record of what the audit found; no other ConfigMap is listed or watched. */
export function findingsConfigMap(namespace: string): { namespace: string; fieldSelector: string } {
  return { namespace, fieldSelector: `metadata.name=${FINDINGS_CONFIGMAP}` };
}
