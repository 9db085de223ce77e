/** What identifies one state of one policy or exception. */
export interface Member {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Of a policy that the webhook judges because its status says so: the same generation is another state without. */
  readonly isJudgedByStatus?: true | undefined;
}

/**
 * Remembers which policies the recent policy-set digests stood for.
 *
 * A replica reports only the digest of its whole set. Without memory, a change of one policy would make every other
 * policy look unloaded until the replicas had swapped sets, and write each one's status twice.
 */
export class DigestHistory {
  readonly #limit: number;
  readonly #sets = new Map<string, ReadonlySet<string>>();

  constructor(limit = 64) {
    this.#limit = limit;
  }

  remember(digest: string, members: readonly Member[]): void {
    this.#sets.delete(digest);
    this.#sets.set(digest, new Set(members.map(keyOf)));
    for (const oldest of this.#sets.keys()) {
      if (this.#sets.size <= this.#limit) break;
      this.#sets.delete(oldest);
    }
  }

  /** True when the set behind `digest` is known and holds exactly this state of the policy. */
  contains(digest: string | undefined, member: Member): boolean {
    return digest !== undefined && this.#sets.get(digest)?.has(keyOf(member)) === true;
  }
}

/** Equal for the same state of the same policy or exception. */
export function keyOf(member: Member): string {
  const state = `${member.name}/${member.uid}/${member.generation}`;
  return member.isJudgedByStatus === true ? `${state}/judged` : state;
}
