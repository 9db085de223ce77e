/**
 * Names that more than one part of ShieldX relies on (operator, webhook replicas, chart, shieldctl). Changing one is
 * a migration.
 */

export const DEFAULT_NAMESPACE = "shieldx-system";

export const LEADER_LEASE = "shieldx-operator";
export const WEBHOOK_SERVICE = "shieldx-webhooks";
export const CA_SECRET = "shieldx-webhooks-ca";
export const TLS_SECRET = "shieldx-webhooks-tls";
/** What the background audit found, as the page shows it. */
export const FINDINGS_CONFIGMAP = "shieldx-findings";

export const FAIL_CONFIGURATION = "shieldx-policies-fail";
export const IGNORE_CONFIGURATION = "shieldx-policies-ignore";
export const KINDS_CONFIGURATION = "shieldx-kinds";
/** A MutatingWebhookConfiguration; those above are ValidatingWebhookConfigurations. */
export const MUTATIONS_CONFIGURATION = "shieldx-mutations";
export const PROBE_WEBHOOK = "probe.shieldx.io";

/** Paths of the webhook's HTTPS server; `probe` is on the probe port. */
export const WEBHOOK_PATH = {
  fail: "/admit/policies/fail",
  ignore: "/admit/policies/ignore",
  mutateFail: "/mutate/policies/fail",
  mutateIgnore: "/mutate/policies/ignore",
  /** Policies with reinvocationPolicy Never: the API server asks for them once only. */
  mutateFailOnce: "/mutate/policies/fail/once",
  mutateIgnoreOnce: "/mutate/policies/ignore/once",
  kinds: "/validate/kinds",
  probe: "/probe",
} as const;

export const LABEL = {
  managedBy: "app.kubernetes.io/managed-by",
  partOf: "app.kubernetes.io/part-of",
  component: "app.kubernetes.io/component",
  policy: "shieldx.io/policy",
  /** On a generated object: the name of its ShieldGenerator. Without it the object is nobody's but its owner's. */
  generator: "shieldx.io/generator",
  /** On the ConfigMap of a handshake probe: the webhook configuration it is about. */
  handshakeProbe: "shieldx.io/handshake-probe",
} as const;

export const MANAGED_BY = "shieldx-operator";
export const PART_OF = "shieldx";
/** Value of `LABEL.component` on what belongs to webhook replicas. */
export const WEBHOOKS_COMPONENT = "webhooks";

export const ANNOTATION = {
  // On a replica's Lease.
  policySetDigest: "shieldx.io/policy-set-digest",
  /** Policies of which the replica keeps an older version, as JSON, see `KeptPolicies`. */
  keptPolicies: "shieldx.io/kept-policies",
  /** Policies the replica holds and cannot judge by, as JSON, see `PolicyProblem`. */
  policyProblems: "shieldx.io/policy-problems",
  /** How often exceptions let something pass, as JSON, see `ExceptionUses`. */
  exceptionUses: "shieldx.io/exception-uses",
  /** Who made exceptions lately, as JSON, see `ExceptionApproval`. */
  exceptionApprovals: "shieldx.io/exception-approvals",
  /** What rollouts of policies count, as JSON, see `RolloutReports`. */
  rollouts: "shieldx.io/rollouts",
  /** What ShieldBreakGlasses let pass, as JSON, see `BreakGlassReports`. */
  breakGlasses: "shieldx.io/break-glasses",
  /** SHA-256 of the DER encoding, in hex. */
  servingLeaf: "shieldx.io/serving-leaf",
  /** RFC 3339. */
  servingLeafNotAfter: "shieldx.io/serving-leaf-not-after",
  candidateLeaf: "shieldx.io/candidate-leaf",
  /** On the Secret `shieldx-webhooks-ca`: `ca` or `leaf`, with `:anything-new`, asks for one rotation. */
  rotate: "shieldx.io/rotate",
  /** On a ShieldPolicy: what somebody asks of its rollout, see `RolloutRequest`. */
  rollout: "shieldx.io/rollout",
  /** On a generated object: the entry of the ShieldGenerator it was made from. */
  generated: "shieldx.io/generated",
  /** On a generated object: "false" where it was made once and is then left alone. */
  synchronize: "shieldx.io/synchronize",
  /** On any object: how old it may become, or "never"; counts where a ShieldCleanup says so. */
  ttl: "shieldx.io/ttl",
  /** On a ShieldCleanup: anything new asks for one run. */
  run: "shieldx.io/run",
} as const;

/** Name of the Lease a webhook replica keeps to say that it serves, and what. */
export function replicaLeaseName(replica: string): string {
  return `${WEBHOOK_SERVICE}-${replica}`;
}
