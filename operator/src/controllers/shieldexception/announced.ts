import type { Announcement, ExceptionDecision } from "./decide.ts";

/** More exceptions than anybody keeps; of those heard of longest ago an Event may come twice. */
const mostExceptions = 10_000;

/**
 * What this process told of exceptions by Events: each once while it lasts, not at every reconcile. What is no longer
 * due, or about another end, may be told anew.
 */
export class Announced {
  readonly #told = new Map<string, ReadonlySet<string>>();

  /**
   * Those that were not told yet.
   * @param expiresAt the end that they are about
   * @param lastUsed one that was needed again meanwhile may be told of as unused once more
   */
  take(
    uid: string,
    { announcements, status }: Pick<ExceptionDecision, "announcements" | "status">,
    { expiresAt, lastUsed = "" }: { readonly expiresAt: string; readonly lastUsed?: string | undefined },
  ): Announcement[] {
    const markOf = (reason: Announcement["reason"]): string =>
      `${reason}/${reason === "Unused" ? lastUsed : expiresAt}`;
    const stateOf = (wanted: string) => status.conditions?.find(({ type }) => type === wanted)?.status;
    const before = this.#told.get(uid) ?? new Set<string>();
    const due = new Set(announcements.map(({ reason }) => markOf(reason)));
    // Both of these are announced only while the status does not show them yet.
    if (stateOf("Expired") === "True") due.add(markOf("Expired"));
    if (stateOf("Unused") !== "False") due.add(markOf("Unused"));
    const news = announcements.filter(({ reason }) => !before.has(markOf(reason)));
    const told = [...before].filter((mark) => due.has(mark));
    this.#told.delete(uid);
    if (news.length + told.length > 0)
      this.#told.set(uid, new Set([...told, ...news.map(({ reason }) => markOf(reason))]));
    const [oldest] = this.#told.keys();
    if (this.#told.size > mostExceptions && oldest !== undefined) this.#told.delete(oldest);
    return news;
  }
}
