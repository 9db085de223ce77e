/** Names of the operator's own; those it shares with other parts are in @shieldx/crds. */
import { LABEL, MANAGED_BY, PART_OF } from "@shieldx/crds";

/** Server-side apply field managers, one for each controller. */
export const FIELD_MANAGER = {
  policy: "shieldx-policy",
  webhookConfiguration: "shieldx-webhook-configuration",
  /** Of what it restores in `shieldx-kinds`, which is the chart's but for its caBundle. */
  kindsRestoration: "shieldx-kinds-restoration",
  certificates: "shieldx-certificates",
  exception: "shieldx-exception",
  audit: "shieldx-audit",
  rollout: "shieldx-rollout",
  /** Of what generators keep in namespaces, and by which it is known as theirs. */
  generation: "shieldx-generation",
  /** Of the status of generators. */
  generator: "shieldx-generator",
  cleanup: "shieldx-cleanup",
  breakGlass: "shieldx-break-glass",
  gaps: "shieldx-gaps",
} as const;

/** On each object that enforces: a digest of what it was written as. */
export const RENDERED_ANNOTATION = "shieldx.io/rendered";

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
  return `${NATIVE_PREFIX}${policy}`;
}

/** The policy that an admission policy or binding of ours is named after. */
export function policyOfNative(name: string): string | undefined {
  return name.startsWith(NATIVE_PREFIX) ? name.slice(NATIVE_PREFIX.length) : undefined;
}

const NATIVE_PREFIX = "shieldx-";
