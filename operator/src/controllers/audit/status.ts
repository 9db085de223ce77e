import type { ShieldPolicyStatus } from "@shieldx/crds";
import type { PolicyAudit } from "./audit-index.ts";

/** Fields of a ShieldPolicy's status that belong to the audit's field manager. */
export const AUDIT_STATUS_FIELDS = ["counts", "worstOffenders"];

export type AuditStatus = Pick<ShieldPolicyStatus, "counts" | "worstOffenders">;

/**
 * Counts and worst offenders as the status shows them. `scannedAtMs` moves only with a full pass that the policy's
 * own change caused, so that a quiet cluster writes nothing.
 */
export function auditStatus(audit: PolicyAudit, scannedAtMs: number | undefined): AuditStatus {
  return {
    counts: {
      checked: audit.checked,
      violating: audit.violating,
      violations: audit.findings,
      exempted: audit.exempted,
      ...(scannedAtMs === undefined
        ? {}
        : { lastScanTime: new Date(scannedAtMs).toISOString().replace(/\.\d+Z$/, "Z") }),
    },
    ...(audit.worst.length === 0
      ? {}
      : {
          worstOffenders: audit.worst.map(({ object, checks }) => ({
            apiVersion: object.apiVersion,
            kind: object.kind,
            ...(object.namespace === "" ? {} : { namespace: object.namespace }),
            name: object.name,
            violations: Math.max(1, checks.length),
          })),
        }),
  };
}
