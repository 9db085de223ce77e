import {
  type ExceptionApproval,
  exceptionSpecDigest,
  MAX_APPROVER_LENGTH,
  parseExceptionApprovals,
  type ShieldExceptionStatus,
} from "@shieldx/crds";

/** `status.approvedBy` of a ShieldException. */
export type ApprovedBy = NonNullable<ShieldExceptionStatus["approvedBy"]>;

const mostExceptions = 4_000;
/** Requests for one exception of which it is not known yet whether they came to anything. */
const mostOfOne = 16;

/** With what a name begins that is not one user's. */
export const UNCONFIRMED = "unconfirmed: ";

/**
 * Who approved what is stored: of those whose requests ShieldX let in the one who asked for just that, for another
 * webhook may have refused the others. Where several are told to have asked for the very same, any of them may have been made up by
 * whoever reaches the webhook's port: none is believed, all are named, and no later word of one of them changes that. An approval
 * of an earlier generation stays until there is a later.
 */
export function approvedBy(
  before: ApprovedBy | undefined,
  approvals: readonly ExceptionApproval[],
  stored: { readonly generation: number; readonly spec: unknown },
): ApprovedBy | undefined {
  const { generation } = stored;
  const named = before?.generation === generation ? before : undefined;
  if (approvals.length === 0 || named?.user.startsWith(UNCONFIRMED) === true) return before;
  const specDigest = exceptionSpecDigest(stored.spec);
  const told = approvals
    .filter((each) => each.generation === generation && each.specDigest === specDigest)
    .map(({ user }) => user);
  if (told.length === 0) return before;
  const users = [...new Set(named === undefined ? told : [named.user, ...told])];
  const [user = ""] = users;
  // Where so many tried that some were forgotten, he may be among those.
  const isCrowded = named === undefined && notBefore(generation, approvals) >= mostOfOne;
  if (users.length === 1 && !isCrowded) return named ?? { user, generation };
  const all = `${UNCONFIRMED}${users.sort().join(" or ")}`;
  return { user: all.slice(0, MAX_APPROVER_LENGTH).toWellFormed(), generation };
}

function notBefore(generation: number, approvals: readonly ExceptionApproval[]): number {
  return approvals.filter((each) => each.generation >= generation).length;
}

/** What replicas tell by their Leases of who made exceptions, or tried to. */
export class ExceptionApprovals {
  readonly #approvals = new Map<string, readonly ExceptionApproval[]>();
  /** By the name of the Lease. */
  readonly #seen = new Map<string, string>();

  /** Takes in the annotation of one Lease. Returns uids of exceptions of which it tells something new. */
  take(lease: string, text: string | undefined): string[] {
    if (text === undefined || this.#seen.get(lease) === text) return [];
    this.#seen.set(lease, text);
    const changed = parseExceptionApprovals(text).filter((approval) => this.#isNew(approval));
    for (const uid of this.#approvals.keys()) {
      if (this.#approvals.size <= mostExceptions) break;
      this.#approvals.delete(uid);
    }
    return changed.map(({ uid }) => uid);
  }

  #isNew(approval: ExceptionApproval): boolean {
    const { uid, generation, user, specDigest } = approval;
    const before = this.#approvals.get(uid) ?? [];
    const isKnown = before.some(
      (each) => each.generation === generation && each.user === user && each.specDigest === specDigest,
    );
    if (isKnown) return false;
    this.#approvals.delete(uid);
    // Those of earlier generations go first.
    const all = [...before, approval].sort((a, b) => a.generation - b.generation);
    this.#approvals.set(uid, all.slice(-mostOfOne));
    return true;
  }

  of(uid: string): readonly ExceptionApproval[] {
    return this.#approvals.get(uid) ?? [];
  }

  /** Only these Leases are there. */
  keepLeases(names: ReadonlySet<string>): void {
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
  }

  forget(uid: string): void {
    this.#approvals.delete(uid);
  }
}
