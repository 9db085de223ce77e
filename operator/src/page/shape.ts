/**
 * What the page is told, in one answer. Both sides use these types: the operator that fills them and the script in the
 * browser, so that this file imports nothing. Times are RFC 3339. Every list is bounded; how much there is in all is told.
 */

export interface PageData {
  /** The cluster's and tenants'; of each so many rows at most, so that the one leave the others theirs. */
  readonly policies: Listed<PolicyRow> & {
    readonly inForce: number;
    /** Those of them that are tenants'. */
    readonly tenants: { readonly total: number; readonly inForce: number };
  };
  /** Absent until the audit has been through once. */
  readonly findings?: FindingsData;
  /** Of versions that are on their way in, or were taken back. */
  readonly rollouts: Listed<RolloutRow>;
  readonly exceptions: Listed<ExceptionRow> & {
    readonly active: number;
    readonly endingSoon: number;
    readonly expired: number;
  };
}

/** The first rows of so many. */
export interface Listed<T> {
  readonly total: number;
  readonly rows: readonly T[];
}

export interface PolicyRow {
  /** `namespace/name` for a tenant's. */
  readonly name: string;
  /** Of a tenant's. */
  readonly namespace?: string;
  readonly engine: string;
  readonly action: string;
  readonly enforcedBy: string;
  /** Whether it is in force as written; undefined while the operator has not looked at it. */
  readonly ready: boolean | undefined;
  /** Why not. */
  readonly message: string;
  /** What the audit found; undefined where it does not look. */
  readonly audit?: {
    readonly checked: number;
    readonly violating: number;
    readonly violations: number;
    readonly exempted: number;
  };
}

export interface Counted {
  readonly objects: number;
  readonly violations: number;
}

export interface OwnerRow extends Counted {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
}

export interface NamespaceRow extends Counted {
  /** Empty for objects in no namespace. */
  readonly name: string;
}

export interface FindingsData extends Counted {
  readonly since: string;
  readonly recordedAt: string;
  readonly namespaces: Listed<NamespaceRow>;
  readonly owners: Listed<OwnerRow>;
  readonly history: HistoryData;
}

export interface SeriesData {
  readonly name: string;
  readonly counts: readonly (number | null)[];
}

export interface HistoryData {
  /** The hour of the first entry; each entry after it is an hour later. */
  readonly firstHour: string;
  readonly total: readonly (number | null)[];
  readonly policies: readonly SeriesData[];
  readonly namespaces: readonly SeriesData[];
  readonly owners: readonly SeriesData[];
}

export interface RolloutRow {
  readonly policy: string;
  readonly stage: string;
  readonly step: string;
  readonly percent: number;
  readonly since: string;
  readonly until?: string;
  readonly isPaused: boolean;
  /** What it waits for, or why it was taken back. */
  readonly message: string;
  readonly counts?: { readonly requests: number; readonly denied: number; readonly errors: number };
  /** What the new version says otherwise than the one in force; undefined where nothing is in force. */
  readonly changes?: Listed<SpecChange>;
  /** What the new version refused, or would have. */
  readonly found: Listed<{
    readonly namespace: string;
    readonly kind: string;
    readonly name: string;
    readonly message: string;
  }>;
  /** The same as requests by namespace, those with the most first; `elsewhere` are those in further namespaces. */
  readonly foundIn: {
    readonly rows: readonly { readonly namespace: string; readonly requests: number }[];
    readonly elsewhere: number;
  };
}

export interface SpecChange {
  /** Such as `spec.validations[0].expression`. */
  readonly path: string;
  /** As JSON, cut where it is long; undefined where the field is not there. */
  readonly before?: string;
  readonly after?: string;
}

export interface ExceptionRow {
  readonly namespace: string;
  readonly name: string;
  readonly policies: readonly string[];
  readonly owner: string;
  readonly reason: string;
  readonly expiresAt: string;
  readonly state: "active" | "endsSoon" | "expired";
  readonly isUnused: boolean;
  readonly used?: number;
  readonly approvedBy?: string;
}
