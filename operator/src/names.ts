/** Names that other parts of ShieldX (chart, webhook replicas, shieldctl) rely on. Changing one is a migration. */

export const GROUP = "shieldx.io";
export const DEFAULT_NAMESPACE = "shieldx-system";
export const AGENTS_NAMESPACE = "shieldx-agents";

export const LEADER_LEASE = "shieldx-operator";
export const WEBHOOK_SERVICE = "shieldx-webhooks";
export const WEBHOOK_SERVICE_ACCOUNT = "shieldx-webhooks";
export const CA_SECRET = "shieldx-webhooks-ca";
export const TLS_SECRET = "shieldx-webhooks-tls";

export const FAIL_CONFIGURATION = "shieldx-policies-fail";
export const IGNORE_CONFIGURATION = "shieldx-policies-ignore";
export const KINDS_CONFIGURATION = "shieldx-kinds";
export const PROBE_WEBHOOK = "probe.shieldx.io";

export const LABEL = {
  managedBy: "app.kubernetes.io/managed-by",
  partOf: "app.kubernetes.io/part-of",
  component: "app.kubernetes.io/component",
  policy: "shieldx.io/policy",
  handshakeProbe: "shieldx.io/handshake-probe",
} as const;

export const MANAGED_BY = "shieldx-operator";
export const PART_OF = "shieldx";

export const ANNOTATION = {
  policySetDigest: "shieldx.io/policy-set-digest",
  servingLeaf: "shieldx.io/serving-leaf",
  candidateLeaf: "shieldx.io/candidate-leaf",
  /** On the Secret `shieldx-webhooks-ca`: `ca` or `leaf`, with `:anything-new`, asks for one rotation. */
  rotate: "shieldx.io/rotate",
} as const;

/** Server-side apply field managers, one for each controller. */
export const FIELD_MANAGER = {
  policy: "shieldx-policy",
  webhookConfiguration: "shieldx-webhook-configuration",
  certificates: "shieldx-certificates",
  exception: "shieldx-exception",
  audit: "shieldx-audit",
} as const;

/** Every object the operator creates carries these. */
export function ownLabels(policy?: string): Record<string, string> {
  return {
    [LABEL.managedBy]: MANAGED_BY,
    [LABEL.partOf]: PART_OF,
    ...(policy === undefined ? {} : { [LABEL.policy]: policyLabelValue(policy) }),
  };
}

/** A label value holds at most 63 characters, a policy's name up to 253: the object's name stays the truth. */
export function policyLabelValue(policy: string): string {
  return policy.length <= 63 ? policy : policy.slice(0, 63).replace(/[^a-z0-9]+$/, "");
}

/** Name of the ValidatingAdmissionPolicy and of its binding. */
export function nativePolicyName(policy: string): string {
  return `shieldx-${policy}`;
}
