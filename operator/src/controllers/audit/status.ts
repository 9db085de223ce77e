import type { ShieldPolicyStatus } from "@shieldx/crds";
import { shownText } from "@shieldx/policy-engine";
import type { PolicyAudit } from "./audit-index.ts";

/** Fields of a ShieldPolicy's status that belong to the audit's field manager. */
export const AUDIT_STATUS_FIELDS = ["counts", "worstOffenders"];

export type AuditStatus = Pick<ShieldPolicyStatus, "counts" | "worstOffenders">;

/** As long as the schema allows: names of some kinds (roles) have no limit in the API server. */
const longest = { name: 253, namespace: 63, kind: 63, apiVersion: 317 } as const;

/**
 * Counts and worst offenders as the status shows them. `scannedAtMs` moves only with a full pass that the policy's
 * own change caused, so that a quiet cluster writes nothing.
 * @param withoutReport objects without a Report of their own, as far as there are Reports
 */
export function auditStatus(
  audit: PolicyAudit,
  scannedAtMs: number | undefined,
  withoutReport: number | undefined,
): AuditStatus {
  return {
    counts: {
      checked: audit.checked,
      violating: audit.violating,
      violations: audit.findings,
      exempted: audit.exempted,
      ...(withoutReport === undefined || withoutReport === 0 ? {} : { withoutReport }),
      ...(scannedAtMs === undefined
        ? {}
        : { lastScanTime: new Date(scannedAtMs).toISOString().replace(/\.\d+Z$/, "Z") }),
    },
    ...(audit.worst.length === 0
      ? {}
      : {
          worstOffenders: audit.worst.map(({ object, findings }) => ({
            apiVersion: shownText(object.apiVersion, longest.apiVersion),
            kind: shownText(object.kind, longest.kind),
            ...(object.namespace === "" ? {} : { namespace: shownText(object.namespace, longest.namespace) }),
            name: shownText(object.name, longest.name),
            violations: findings,
          })),
        }),
  };
}
