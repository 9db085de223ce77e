import { Counter, Gauge, type Registry } from "prom-client";

/** The operator's own metrics; the runtime adds controller-runtime's. Labels take only bounded values. */
export interface OperatorMetrics {
  readonly tamperingRestored: Counter<"kind">;
  readonly certificateDaysLeft: Gauge<"certificate">;
  readonly certificateRotations: Counter<"certificate">;
  readonly auditViolations: Gauge<"policy">;
  readonly auditPending: Gauge;
  readonly auditReports: Gauge;
  readonly auditReportsOmitted: Gauge;
  readonly policiesEnforced: Gauge<"enforced_by">;
}

export function createMetrics(registry: Registry): OperatorMetrics {
  const registers = [registry];
  return {
    tamperingRestored: new Counter({
      name: "shieldx_tampering_restored_total",
      help: "Enforcing objects of ours that somebody changed or deleted and that were put back, by kind.",
      labelNames: ["kind"],
      registers,
    }),
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
    policiesEnforced: new Gauge({
      name: "shieldx_policies_enforced",
      help: "ShieldPolicies whose condition Enforced is True, by what enforces them.",
      labelNames: ["enforced_by"],
      registers,
    }),
  };
}
