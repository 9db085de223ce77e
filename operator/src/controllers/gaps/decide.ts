import {
  breakGlassWindow,
  type Gap,
  type GapObject,
  LAST_TIMESTAMP_MS,
  type LetThrough,
  MAX_GAP_OBJECTS,
  MAX_GAP_SHARES,
  MAX_GAPS,
  type ShieldBreakGlassStatus,
  type StoredBreakGlass,
} from "@shieldx/crds";
import type { PolicyLetThrough } from "../../break-glass-reports.ts";
import type { TamperingTime } from "../../tampering-times.ts";
import type { AuditOfGap, WrittenObject } from "../audit/gap-audit.ts";
import { type Lapse, SHORTEST_LAPSE_MS } from "./lapse.ts";

/** A ShieldBreakGlass about the policy, and what passed on account of it. */
export interface GlassObservation {
  readonly glass: StoredBreakGlass & { readonly status?: ShieldBreakGlassStatus | undefined };
  readonly letThrough: PolicyLetThrough;
}

export interface GapsObservation {
  readonly policy: string;
  /** Whether the policy refuses anything when enforced. */
  readonly denies: boolean;
  readonly previous: readonly Gap[];
  readonly glasses: readonly GlassObservation[];
  /** What passed on account of ShieldBreakGlasses that are gone, by their uid. */
  readonly gone: ReadonlyMap<string, PolicyLetThrough>;
  /** Set while it is not enforced for any other reason. */
  readonly lapse: Lapse | undefined;
  /** When it was enforced again, or for the first time; milliseconds since the epoch. */
  readonly enforcedSinceMs: number | undefined;
  readonly tampering: readonly TamperingTime[];
  /**
   * What the audit found of a gap that is over; "later" while it is not through since, "never" where it does not look at the
   * policy.
   */
  readonly audit: (gap: Gap) => AuditOfGap | "later" | "never";
}

export interface GapNews {
  readonly type: "Normal" | "Warning";
  readonly reason: "BreakGlassOpened" | "GapEnded";
  /** Id of the gap. */
  readonly gap: string;
  readonly note: string;
}

export interface GapsDecision {
  readonly gaps: readonly Gap[];
  readonly news: readonly GapNews[];
  /** When something changes by the mere passing of time. */
  readonly nextMs: number | undefined;
}

export function decideGaps(observed: GapsObservation, now: number): GapsDecision {
  const { previous, policy } = observed;
  const before = new Map(previous.map((gap) => [gap.id, gap]));
  const ofGlasses = observed.glasses.flatMap((each) => gapOfGlass(each, before, observed.denies, now) ?? []);
  const current = new Map(ofGlasses.map((gap) => [gap.id, gap]));
  for (const gap of [...lapses(observed, now), ...tamperings(observed)]) current.set(gap.id, gap);
  for (const gap of previous) {
    if (current.has(gap.id)) continue;
    const more = observed.gone.get(gap.id);
    current.set(gap.id, ended(more === undefined ? gap : { ...gap, ...passed(gap, more) }, now));
  }
  const isUnseen = notDroppedBefore([...current.values()].filter(isByGlass));
  // Opened and deleted while nobody looked, but for the replicas, who went by it.
  for (const [id, letThrough] of observed.gone)
    if (!current.has(id) && isUnseen(letThrough)) current.set(id, unseenGlass(id, letThrough, now));
  const all = [...current.values()].map((gap) => withAudit(gap, observed.audit)).sort(lastingFirst);
  // Half of them each: who tampers again and again must not push out who broke the glass.
  const gaps = [
    ...all.filter(isByGlass).slice(0, MAX_OF_GLASSES),
    ...all.filter((gap) => !isByGlass(gap)).slice(0, MAX_GAPS - MAX_OF_GLASSES),
  ].sort(latestFirst);
  const ends = observed.glasses.flatMap(({ glass }) => {
    const window = breakGlassWindow(glass);
    if ("problem" in window) return [];
    return [window.fromMs + UNKNOWN_AFTER_MS, window.untilMs].filter((atMs) => atMs > now);
  });
  const { lapse } = observed;
  if (lapse !== undefined) ends.push(lapse.fromMs + SHORTEST_LAPSE_MS);
  const coming = ends.filter((atMs) => atMs > now);
  return {
    gaps,
    news: gaps.flatMap((gap) => newsOf(policy, before.get(gap.id), gap, now)),
    nextMs: coming.length === 0 ? undefined : Math.min(...coming),
  };
}

const MAX_OF_GLASSES = MAX_GAPS / 2;

function isByGlass({ cause }: Gap): boolean {
  return cause === "BreakGlass";
}

/** How far clocks of replicas may be from ours. */
const MAX_SKEW_MS = 60_000;

/** What was dropped was over before all that are kept: replicas tell of it for a day yet, and it must not come back nameless. */
function notDroppedBefore(kept: readonly Gap[]): (letThrough: PolicyLetThrough) => boolean {
  const sinceMs =
    kept.length < MAX_OF_GLASSES ? Number.NEGATIVE_INFINITY : Math.min(...kept.map(endOf)) + MAX_SKEW_MS;
  return ({ requests }) => requests.some(({ atMs }) => atMs > sinceMs);
}

function endOf({ until }: Gap): number {
  return until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
}

/** One that lasts must not be pushed out by shorter ones: nothing would be left of it. */
function lastingFirst(a: Gap, b: Gap): number {
  if (endOf(a) === endOf(b)) return latestFirst(a, b);
  return endOf(a) > endOf(b) ? -1 : 1;
}

function latestFirst(a: Gap, b: Gap): number {
  return Date.parse(b.from) - Date.parse(a.from) || (a.id < b.id ? -1 : 1);
}

function gapOfGlass(
  { glass, letThrough }: GlassObservation,
  before: ReadonlyMap<string, Gap>,
  denies: boolean,
  now: number,
): Gap | undefined {
  const id = glass.metadata.uid ?? "";
  const known = before.get(id);
  const window = breakGlassWindow(glass);
  if ("problem" in window) return undefined;
  // What refuses nothing anyway is not suspended.
  if (known === undefined && !denies) return undefined;
  const isOver = now >= window.untilMs;
  const user = glass.status?.openedBy?.user ?? known?.user;
  return {
    id,
    cause: "BreakGlass",
    message: cut(
      `ShieldBreakGlass "${glass.metadata.name}": ${glass.spec.reason}`.replace(/\s+/g, " "),
      MAX_MESSAGE,
    ),
    from: iso(window.fromMs),
    ...(isOver ? { until: known?.until ?? iso(window.untilMs) } : {}),
    breakGlass: glass.metadata.name,
    ...(user === undefined ? {} : { user }),
    ...passed(known, letThrough),
    ...(known?.audited === undefined ? {} : { audited: known.audited }),
  };
}

/** What is known of it and what replicas tell, in one. */
function passed(
  known: Gap | undefined,
  letThrough: PolicyLetThrough,
): Pick<Gap, "requests" | "found" | "processes" | "objects"> {
  const processes = shares(known?.processes ?? [], letThrough);
  const objects = merge(known?.objects ?? [], letThrough.requests.map(toldObject));
  return {
    requests: Math.min(
      Number.MAX_SAFE_INTEGER,
      processes.reduce((sum, { count }) => sum + count, 0),
    ),
    found: Math.max(known?.found ?? 0, objects.length),
    ...(processes.length === 0 ? {} : { processes }),
    ...(objects.length === 0 ? {} : { objects: objects.slice(0, MAX_GAP_OBJECTS) }),
  };
}

function unseenGlass(id: string, letThrough: PolicyLetThrough, now: number): Gap {
  // It is over: a replica's clock that says otherwise is wrong.
  const times = letThrough.requests.map(({ atMs }) => Math.min(atMs, now));
  return {
    id,
    cause: "BreakGlass",
    message:
      "a ShieldBreakGlass that was deleted before the operator saw it: the API server's audit log has who made it (its uid is the gap's id)",
    from: iso(Math.min(...times)),
    until: iso(Math.min(Math.max(...times) + 1000, now)),
    ...passed(undefined, letThrough),
  };
}

/** The one that lasts, and those that are over by now. */
function lapses({ previous, lapse, enforcedSinceMs }: GapsObservation, now: number): Gap[] {
  const open = previous.find(({ id, until }) => id.startsWith(LAPSE) && until === undefined);
  if (lapse !== undefined) {
    if (open !== undefined) return [{ ...open, message: cut(lapse.message, MAX_MESSAGE) }];
    if (now - lapse.fromMs < SHORTEST_LAPSE_MS) return [];
    const from = iso(lapse.fromMs);
    return [{ id: `${LAPSE}${from}`, cause: lapse.cause, message: cut(lapse.message, MAX_MESSAGE), from }];
  }
  if (open === undefined) return [];
  return [{ ...open, until: iso(Math.max(Date.parse(open.from), enforcedSinceMs ?? now)) }];
}

const LAPSE = "lapse-";

function tamperings({ previous, denies, tampering }: GapsObservation): Gap[] {
  if (!denies) return [];
  const known = new Set(previous.map(({ id }) => id));
  return tampering
    .filter(({ id }) => !known.has(id))
    .map(({ id, fromMs, isUnseen, untilMs, message }): Gap => {
      const unseen = isUnseen ? ", at some time in between: no operator was there to see" : "";
      return {
        id,
        cause: "Tampering",
        message: cut(`${message}${unseen}`, MAX_MESSAGE),
        from: iso(fromMs),
        until: iso(untilMs),
      };
    });
}

/** Its ShieldBreakGlass was deleted, which ends it, now at the latest. */
function ended(gap: Gap, now: number): Gap {
  return gap.cause !== "BreakGlass" || gap.until !== undefined ? gap : { ...gap, until: iso(now) };
}

/** A share only grows, so that adding up twice, late, or by another leader changes nothing. */
function shares(before: NonNullable<Gap["processes"]>, { processes }: PolicyLetThrough) {
  const counts = new Map(before.map(({ id, count }) => [id, count]));
  for (const { process, requests } of processes)
    if (counts.has(process) || counts.size < MAX_GAP_SHARES)
      counts.set(process, Math.max(counts.get(process) ?? 0, requests));
  return [...counts].map(([id, count]) => ({ id, count })).sort((a, b) => (a.id < b.id ? -1 : 1));
}

function toldObject(request: LetThrough): GapObject {
  const { operation, user, atMs } = request;
  return { ...named(request), operation, user, time: iso(atMs) };
}

/** The latest first; of one object each user's last write. */
function merge(before: readonly GapObject[], more: readonly GapObject[]): GapObject[] {
  const all = new Map<string, GapObject>();
  for (const object of [...before, ...more]) {
    const { kind, namespace, name, uid, user, operation } = object;
    const key = JSON.stringify([kind, namespace, uid ?? name, user ?? "", operation ?? ""]);
    const known = all.get(key);
    if (known === undefined) all.set(key, object);
    else if (Date.parse(known.time) < Date.parse(object.time))
      all.set(key, { ...object, ...(known.violates === undefined ? {} : { violates: known.violates }) });
  }
  return [...all.values()].sort(
    (a, b) => Date.parse(b.time) - Date.parse(a.time) || (a.name < b.name ? -1 : 1),
  );
}

/** What the audit found joins what the webhook told; of an object that both know, the webhook knows who. */
function withAudit(gap: Gap, audit: GapsObservation["audit"]): Gap {
  if (gap.until === undefined || gap.audited !== undefined) return gap;
  const known = audit(gap);
  if (known === "later") return gap;
  if (known === "never") return { ...gap, audited: false };
  const told = new Set((gap.objects ?? []).flatMap(({ uid }) => uid ?? []));
  const more = known.objects.filter(({ uid }) => !told.has(uid)).map(foundObject);
  const all = merge(gap.objects ?? [], more).map((object) =>
    object.uid === undefined ? object : { ...object, violates: known.violating.has(object.uid) },
  );
  const objects = all.slice(0, MAX_GAP_OBJECTS);
  return {
    ...gap,
    found: Math.max(gap.found ?? 0, all.length, known.found),
    ...(objects.length === 0 ? {} : { objects }),
    audited: true,
  };
}

type Named = Pick<WrittenObject & LetThrough, "apiVersion" | "kind" | "namespace" | "name" | "uid">;

/** What an object is called in the record; what it does not have is left out. */
function named({ apiVersion, kind, namespace, name, uid }: Named) {
  return {
    apiVersion,
    kind,
    ...(namespace === "" ? {} : { namespace }),
    name,
    ...(uid === "" ? {} : { uid }),
  };
}

function foundObject(object: WrittenObject): GapObject {
  const { writtenMs, manager, isNew } = object;
  return {
    ...named(object),
    operation: isNew ? "CREATE" : "UPDATE",
    ...(manager === undefined ? {} : { manager: cut(manager, 128) }),
    time: iso(writtenMs),
  };
}

/** Who opened it comes with the next Lease of the replica that was asked; after that time it will not come. */
const UNKNOWN_AFTER_MS = 10_000;

function newsOf(policy: string, before: Gap | undefined, gap: Gap, now: number): GapNews[] {
  const by = gap.user === undefined ? "" : `, opened by ${gap.user}`;
  if (gap.until === undefined) {
    const isDue = gap.user !== undefined || now >= Date.parse(gap.from) + UNKNOWN_AFTER_MS;
    if (gap.cause !== "BreakGlass" || before?.user !== undefined || !isDue) return [];
    const note = `the policy refuses nothing for now${by}: ${gap.message}. What passes is recorded; end it by: kubectl delete shieldbreakglass ${gap.breakGlass}`;
    return [{ type: "Warning", reason: "BreakGlassOpened", gap: gap.id, note }];
  }
  // Told once what was written in it is known, as far as it ever will be.
  if (gap.audited === undefined || before?.audited !== undefined) return [];
  const many = gap.found ?? 0;
  if (gap.audited === false && gap.cause !== "BreakGlass") {
    const note = `nobody has looked at what was written while the policy was not enforced (${gap.from} to ${gap.until}), for its actions.background is off: see the API server's audit log, or set it to audit to have what breaks the policy in its Reports`;
    return [{ type: "Warning", reason: "GapEnded", gap: gap.id, note }];
  }
  const note = `${many === 1 ? "1 object" : `${many} objects`} that the policy denies ${many === 1 ? "was" : "were"} written while it was not enforced (${gap.from} to ${gap.until}${by}); see who and when: shieldctl policy gaps ${policy}`;
  return [{ type: many > 0 ? "Warning" : "Normal", reason: "GapEnded", gap: gap.id, note }];
}

const MAX_MESSAGE = 512;

/** Never through the middle of a character. */
function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** Seconds are enough, and all that a timestamp of the API server has; nor has that years of five digits. */
function iso(ms: number): string {
  return new Date(Math.min(Math.max(0, ms), LAST_TIMESTAMP_MS)).toISOString().replace(/\.\d+Z$/, "Z");
}
