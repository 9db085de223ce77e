import { isDeepStrictEqual } from "node:util";
import {
  type ControllerDefinition,
  defineController,
  type ObjectKey,
  type ReconcileContext,
  watch,
} from "@shieldx/controller-runtime";
import { breaksPolicy, type Gap } from "@shieldx/crds";
import { lookAgain, type OperatorContext, sooner, untilMoment } from "../../context.ts";
import { asPolicy, ShieldBreakGlassType, type ShieldPolicyObject, ShieldPolicyType } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { keepStatus } from "../../status.ts";
import type { AuditOfGap } from "../audit/gap-audit.ts";
import { decideGaps, type GapNews, type GapsObservation } from "./decide.ts";
import { lapseOf } from "./lapse.ts";
import { RememberedGaps } from "./remembered.ts";

/** What a gap came to is asked of the audit this often. */
const ASK_AUDIT_MS = 2_000;
/** Until replicas have told, and the audit has seen, what was written at the end of a gap. */
const SETTLED_AFTER_MS = 5_000;
const MOST_TOLD = 1_000;

/** Keeps the record of when each policy was not enforced, and of what was written meanwhile. */
export function gapsController(
  operator: OperatorContext,
  audit: (policy: string, gap: Gap) => Promise<AuditOfGap | "later" | "never">,
): ControllerDefinition<ShieldPolicyObject> {
  /** A status that is not written yet, or says nothing new, must not tell it again. */
  const told = new Set<string>();
  const remembered = new RememberedGaps();

  function observe(policy: ShieldPolicyObject, now: number): GapsObservation {
    const { name, uid = "", creationTimestamp = "" } = policy.metadata;
    const reports = operator.breakGlassReports;
    const enforced = policy.status?.conditions?.find(({ type }) => type === "Enforced");
    const glasses = operator.breakGlasses
      .of(name)
      // What was over before there was this policy is another's.
      .filter(({ spec }) => Date.parse(spec.expiresAt) > Date.parse(creationTimestamp))
      .map((glass) => ({ glass, letThrough: reports.of(glass.metadata.uid ?? "", name) }));
    const there = new Set(operator.breakGlasses.all().map(({ metadata }) => metadata.uid));
    const gone = [...reports.glassesOf(name)].filter((uid) => !there.has(uid));
    return {
      policy: name,
      denies: policy.spec.actions?.admission === "deny",
      previous: remembered.of({ name, uid, gaps: policy.status?.gaps }, now),
      glasses,
      gone: new Map(gone.map((uid) => [uid, reports.of(uid, name)])),
      lapse: lapseOf(asPolicy(policy)),
      enforcedSinceMs: enforced?.status === "True" ? Date.parse(enforced.lastTransitionTime) : undefined,
      tampering: operator.tamperingTimes.of(policy),
      audit: () => "later",
    };
  }

  async function auditsOf({ metadata }: ShieldPolicyObject, gaps: readonly Gap[], now: number) {
    const found = new Map<string, AuditOfGap | "later" | "never">();
    for (const gap of gaps) {
      const isDue = gap.until !== undefined && now >= Date.parse(gap.until) + SETTLED_AFTER_MS;
      if (isDue && gap.audited === undefined) found.set(gap.id, await audit(metadata.name, gap));
    }
    return found;
  }

  function tell(context: ReconcileContext, policy: ShieldPolicyObject, news: readonly GapNews[]): void {
    const { name } = policy.metadata;
    for (const { type, reason, gap, note } of news) {
      const key = `${name} ${gap} ${reason} ${note}`;
      if (told.has(key)) continue;
      told.add(key);
      const [first] = told;
      if (told.size > MOST_TOLD && first !== undefined) told.delete(first);
      context.events.event(policy, { type, reason, action: "Enforce", note: note.slice(0, 1000) });
      context.logger[type === "Warning" ? "warn" : "info"]({}, note);
    }
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const policy = context.get(ShieldPolicyType, key);
    if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) return undefined;
    const now = operator.clock.now();
    const observed = observe(policy, now);
    const audits = await auditsOf(policy, decideGaps(observed, now).gaps, now);
    const decision = decideGaps({ ...observed, audit: ({ id }) => audits.get(id) ?? "later" }, now);
    const { gaps, news, nextMs } = decision;
    remembered.keep({ name: key.name, uid: policy.metadata.uid ?? "", gaps });
    if (!isDeepStrictEqual(plain(policy.status?.gaps ?? []), plain(gaps))) {
      const retryMs = await keepStatus(
        operator,
        context,
        ShieldPolicyType,
        policy,
        { gaps },
        { fieldManager: FIELD_MANAGER.gaps, fields: ["gaps"], isConditional: true },
      );
      if (retryMs !== undefined) return retryMs;
    }
    tell(context, policy, news);
    const isUnaudited = gaps.some(({ until, audited }) => until !== undefined && audited === undefined);
    return sooner(untilMoment(nextMs, now), isUnaudited ? ASK_AUDIT_MS : undefined);
  }

  const all = (): ObjectKey[] => operator.world.policyNames().map((name) => ({ name }));
  return defineController<ShieldPolicyObject>({
    name: "gaps",
    for: { type: ShieldPolicyType },
    watches: [
      watch({
        type: ShieldBreakGlassType,
        map: ({ spec }) => all().filter(({ name }) => breaksPolicy(spec, name)),
      }),
    ],
    sources: [
      (enqueue) => operator.tamperingTimes.onNote(() => all().forEach(enqueue)),
      (enqueue) =>
        operator.breakGlassReports.onTold(() => {
          const glasses = operator.breakGlasses.all();
          const isConcerned = (name: string): boolean =>
            glasses.some(({ spec }) => breaksPolicy(spec, name)) ||
            operator.breakGlassReports.glassesOf(name).size > 0;
          for (const key of all()) if (isConcerned(key.name)) enqueue(key);
        }),
    ],
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
