import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const enforcingKinds = [
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
  "MutatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
];

/** The operator's own metrics; the runtime adds controller-runtime's. Labels take only bounded values. */
export interface OperatorMetrics {
  readonly tamperingRestored: Counter<"kind">;
  readonly certificateDaysLeft: Gauge<"certificate">;
  readonly certificateRotations: Counter<"certificate">;
  readonly auditViolations: Gauge<"policy">;
  readonly auditPending: Gauge;
  readonly auditReports: Gauge;
  readonly auditReportsOmitted: Gauge;
  readonly auditReportWrites: Counter<"operation">;
  readonly policiesEnforced: Gauge<"enforced_by">;
  readonly rolloutRollbacks: Counter<"reason">;
  readonly auditJudged: Counter;
  readonly auditErrors: Counter;
  readonly auditCalls: Histogram<"result">;
  readonly auditImages: Histogram<"result">;
  readonly auditPassEnded: Gauge;
  readonly generatedObjects: Gauge<"generator">;
  readonly generatedInStep: Gauge<"generator">;
  readonly generationWrites: Counter<"operation">;
  readonly cleanupDue: Gauge<"cleanup">;
  readonly cleanupDeleted: Counter<"cleanup">;
}

export function createMetrics(registry: Registry): OperatorMetrics {
  const registers = [registry];
  const tamperingRestored = new Counter({
    name: "shieldx_tampering_restored_total",
    help: "Enforcing objects of ours that somebody changed or deleted and that were put back, by kind.",
    labelNames: ["kind"],
    registers,
  });
  // An alert on an increase needs a zero to begin at, or the first time goes unseen.
  for (const kind of enforcingKinds) tamperingRestored.inc({ kind }, 0);
  const rolloutRollbacks = new Counter({
    name: "shieldx_rollout_rollbacks_total",
    help: "Versions of policies that were taken back while they went in by stages, by reason: DenialRate, ErrorRate, Latency, Aborted.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of ["DenialRate", "ErrorRate", "Latency", "Aborted"]) rolloutRollbacks.inc({ reason }, 0);
  const generationWrites = new Counter({
    name: "shieldx_generation_writes_total",
    help: "Writes to objects that ShieldGenerators keep, by operation: create, update (the generator changed), mend (somebody changed it), delete.",
    labelNames: ["operation"],
    registers,
  });
  for (const operation of ["create", "update", "mend", "delete"]) generationWrites.inc({ operation }, 0);
  return {
    generationWrites,
    generatedObjects: new Gauge({
      name: "shieldx_generation_objects",
      help: "Objects that there should be in the namespaces a ShieldGenerator is about.",
      labelNames: ["generator"],
      registers,
    }),
    generatedInStep: new Gauge({
      name: "shieldx_generation_objects_in_step",
      help: "Those of them that are as the ShieldGenerator has them.",
      labelNames: ["generator"],
      registers,
    }),
    cleanupDue: new Gauge({
      name: "shieldx_cleanup_due_objects",
      help: "Objects whose time was over in the last run of a ShieldCleanup.",
      labelNames: ["cleanup"],
      registers,
    }),
    cleanupDeleted: new Counter({
      name: "shieldx_cleanup_deleted_total",
      help: "Objects that a ShieldCleanup has deleted.",
      labelNames: ["cleanup"],
      registers,
    }),
    rolloutRollbacks,
    tamperingRestored,
    certificateDaysLeft: new Gauge({
      name: "shieldx_certificate_days_left",
      help: "Days until a certificate of the webhook expires.",
      labelNames: ["certificate"],
      registers,
    }),
    certificateRotations: new Counter({
      name: "shieldx_certificate_rotations_total",
      help: "Completed rotations of the webhook's certificates.",
      labelNames: ["certificate"],
      registers,
    }),
    auditViolations: new Gauge({
      name: "shieldx_audit_violations",
      help: "Existing objects that a policy would refuse today.",
      labelNames: ["policy"],
      registers,
    }),
    auditPending: new Gauge({
      name: "shieldx_audit_pending_objects",
      help: "Objects the background audit still has to judge.",
      registers,
    }),
    auditReports: new Gauge({
      name: "shieldx_audit_reports",
      help: "openreports.io Reports held by the background audit.",
      registers,
    }),
    auditReportsOmitted: new Gauge({
      name: "shieldx_audit_reports_omitted",
      help: "Offending objects without a Report because the cap is reached.",
      registers,
    }),
    auditReportWrites: new Counter({
      name: "shieldx_audit_report_writes_total",
      help: "Requests by which the background audit wrote or deleted Reports, by operation: write, delete.",
      labelNames: ["operation"],
      registers,
    }),
    auditJudged: new Counter({
      name: "shieldx_audit_judged_objects_total",
      help: "Objects the background audit has judged; each again whenever something that matters changes.",
      registers,
    }),
    auditErrors: new Counter({
      name: "shieldx_audit_errors_total",
      help: "Policies that came to no verdict on an existing object: an expression without a value, or an unknown namespace.",
      registers,
    }),
    auditCalls: new Histogram({
      name: "shieldx_audit_call_seconds",
      help: "Time that calls of hosts by policies (http.send) took for existing objects, by what came of them: answered, kept, failed, refused, timed_out.",
      labelNames: ["result"],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    auditImages: new Histogram({
      name: "shieldx_audit_image_seconds",
      help: "Time that finding out who signed images of existing objects took, by what came of it: verified, unsigned, unknown, kept.",
      labelNames: ["result"],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    auditPassEnded: new Gauge({
      name: "shieldx_audit_pass_end_timestamp_seconds",
      help: "When the background audit was last through with everything it had to judge, seconds since the epoch.",
      registers,
    }),
    policiesEnforced: new Gauge({
      name: "shieldx_policies_enforced",
      help: "ShieldPolicies whose condition Enforced is True, by what enforces them.",
      labelNames: ["enforced_by"],
      registers,
    }),
  };
}
