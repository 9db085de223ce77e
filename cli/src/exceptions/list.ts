import type { KubeObject } from "@shieldx/controller-runtime";
import { parseShieldException, type ShieldException } from "@shieldx/crds";

/** One exception as it is listed. */
export interface ExceptionRow {
  readonly namespace: string;
  readonly name: string;
  readonly policies: readonly string[];
  readonly owner: string;
  readonly approvedBy: string | undefined;
  readonly expiresAt: string;
  /** Negative once it has expired. */
  readonly expiresInSeconds: number;
  /** Requests that it let pass. */
  readonly used: number;
  readonly lastUsed: string | undefined;
  /** Existing objects that need it. */
  readonly objects: number;
  /** Whether every policy honours it; undefined while the operator has not said. */
  readonly honoured: boolean | undefined;
  /** undefined where nobody can tell. */
  readonly unused: boolean | undefined;
  /** Why it is not honoured, or not judged. */
  readonly message: string;
}

export interface ExceptionFilter {
  /** Only those that have not ended and end within this time. */
  readonly expiringMs?: number | undefined;
  readonly unused?: boolean | undefined;
}

/** Exceptions in the order in which they end, those first that a person has to look at soonest. */
export function listExceptions(
  objects: readonly KubeObject[],
  { expiringMs, unused }: ExceptionFilter,
  now: number,
): ExceptionRow[] {
  return objects
    .map((object) => rowOf(parseShieldException(object, { unknownFields: "drop" }), now))
    .filter((row) => unused !== true || row.unused === true)
    .filter(
      ({ expiresInSeconds: left }) => expiringMs === undefined || (left > 0 && left * 1000 <= expiringMs),
    )
    .sort((a, b) => a.expiresInSeconds - b.expiresInSeconds || (keyOf(a) < keyOf(b) ? -1 : 1));
}

function rowOf({ metadata, spec, status }: ShieldException, now: number): ExceptionRow {
  const conditionOf = (wanted: string) => status?.conditions?.find(({ type }) => type === wanted);
  const [ready, unused] = [conditionOf("Ready"), conditionOf("Unused")];
  return {
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    policies: spec.policies,
    owner: spec.owner,
    approvedBy: status?.approvedBy?.user,
    expiresAt: spec.expiresAt,
    expiresInSeconds: Math.floor((Date.parse(spec.expiresAt) - now) / 1000),
    used: status?.usage?.count ?? 0,
    lastUsed: status?.usage?.lastUsed,
    objects: status?.usage?.objects ?? 0,
    honoured: ready === undefined ? undefined : ready.status === "True",
    unused: unused === undefined || unused.status === "Unknown" ? undefined : unused.status === "True",
    message: ready?.status === "False" ? ready.message : (unused?.message ?? ""),
  };
}

const keyOf = ({ namespace, name }: ExceptionRow): string => `${namespace}/${name}`;

/** As people say it: `13d`, `5h`, `12m`, `expired`. */
export function formatLeft(seconds: number): string {
  if (seconds <= 0) return "expired";
  if (seconds >= 2 * 86_400) return `${Math.floor(seconds / 86_400)}d`;
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.max(1, Math.floor(seconds / 60))}m`;
}
