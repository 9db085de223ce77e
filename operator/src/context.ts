import type { Clock } from "@shieldx/controller-runtime";
import type { BreakGlassReports } from "./break-glass-reports.ts";
import type { BreakGlasses } from "./break-glasses.ts";
import type { NativeStandings } from "./controllers/native/standings.ts";
import type { WebhookAddress } from "./controllers/webhook-configuration/decide.ts";
import type { Departures } from "./departures.ts";
import type { ExceptionUses } from "./exception-uses.ts";
import type { OperatorMetrics } from "./metrics.ts";
import type { Obstacles } from "./obstacles.ts";
import type { PolicyWorld } from "./policy-world.ts";
import type { RolloutReports } from "./rollout-reports.ts";
import type { TamperingTimes } from "./tampering-times.ts";
import type { VersionsBefore } from "./versions-before.ts";

/** What every controller of the operator is given. */
export interface OperatorContext {
  /** ShieldX's own namespace. */
  readonly namespace: string;
  /** That one and, where there is one, the agents'. No policy judges what is in them. */
  readonly ownNamespaces: readonly string[];
  /** Of the API server now: it may be upgraded while the operator runs. */
  readonly serverMinor: number;
  /** The API server has `admissionregistration.k8s.io/v1` MutatingAdmissionPolicy (Kubernetes 1.36 and later). */
  readonly servesMutatingPolicies: boolean;
  readonly webhookAddress: WebhookAddress;
  readonly world: PolicyWorld;
  readonly departures: Departures;
  readonly exceptionUses: ExceptionUses;
  readonly rolloutReports: RolloutReports;
  readonly breakGlasses: BreakGlasses;
  readonly breakGlassReports: BreakGlassReports;
  readonly tamperingTimes: TamperingTimes;
  readonly versionsBefore: VersionsBefore;
  /** How long nothing needs an exception before it counts as unused. */
  readonly unusedAfterMs: number;
  readonly clock: Pick<Clock, "now" | "monotonicNow">;
  readonly metrics: OperatorMetrics;
  readonly obstacles: Obstacles;
  /** How policies stand that the API server evaluates. */
  readonly native: NativeStandings;
}

/** The sooner of two waits; undefined means never. */
export function sooner(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/**
 * Timers run by a clock that neither jumps nor stands still in a suspended machine as the other does: what is due by the
 * clock on the wall has to be looked at this often, in ms.
 */
export const WALL_CLOCK_CHECK_MS = 60_000;

/** A wait for a moment of the wall clock; undefined means never. */
export function untilMoment(moment: number | undefined, now: number): number | undefined {
  return moment === undefined ? undefined : Math.min(moment - now, WALL_CLOCK_CHECK_MS);
}

/** A reconcile result that asks for another look after `afterMs`, if at all. */
export function lookAgain(afterMs: number | undefined): { requeueAfterMs: number } | undefined {
  return afterMs === undefined ? undefined : { requeueAfterMs: Math.max(1, Math.ceil(afterMs)) };
}
