import { type ConditionInput, setCondition } from "@shieldx/controller-runtime";
import {
  breakGlassWindow,
  type Condition,
  MAX_BROKEN_POLICIES,
  MAX_REPORTED_GLASSES,
  type ShieldBreakGlassStatus,
  type StoredBreakGlass,
} from "@shieldx/crds";

/** How one of its policies stands. */
export interface BrokenPolicy {
  readonly name: string;
  /** Why it still refuses; undefined where it refuses nothing. */
  readonly refuses: string | undefined;
}

export interface BreakGlassObservation {
  readonly glass: StoredBreakGlass & { readonly status?: ShieldBreakGlassStatus | undefined };
  readonly generation: number;
  readonly policies: readonly BrokenPolicy[];
  readonly replicas: { readonly live: number; readonly open: number };
  /** How many are open, this one included. */
  readonly openInAll: number;
  /** Requests that passed, by all policies. */
  readonly written: number;
}

/** What its status says; without who opened it, which the controller knows. */
export function decideBreakGlass(
  observed: BreakGlassObservation,
  now: number,
): Omit<ShieldBreakGlassStatus, "openedBy"> {
  const { glass, generation, policies, written } = observed;
  const window = breakGlassWindow(glass);
  const isOver = "problem" in window || now >= window.untilMs;
  const { expiresAt } = glass.spec;
  const state = readyOf(observed, isOver, window);
  const expired: Omit<ConditionInput, "type"> = isOver
    ? {
        status: "True",
        reason: "Expired",
        message: `ended at ${expiresAt}: delete it, and open another one if need be`,
      }
    : { status: "False", reason: "NotExpired", message: `ends at ${expiresAt}` };
  const conditions: readonly ConditionInput[] = [
    { type: "Ready", ...state },
    { type: "Expired", ...expired },
  ];
  const refusing = policies.filter(({ refuses }) => refuses !== undefined);
  const named = glass.spec.allPolicies === true ? refusing : policies;
  return {
    observedGeneration: generation,
    conditions: conditions.reduce<readonly Condition[]>(
      (told, condition) =>
        setCondition(told, { ...condition, observedGeneration: generation }, now) as readonly Condition[],
      glass.status?.conditions ?? [],
    ) as Condition[],
    policies: named.slice(0, MAX_BROKEN_POLICIES).map(({ name, refuses }) => ({
      name: name.slice(0, 63),
      suspended: !isOver && refuses === undefined,
      ...(isOver
        ? { message: "enforced again" }
        : refuses === undefined
          ? {}
          : { message: refuses.slice(0, 1024) }),
    })),
    written: Math.max(written, glass.status?.written ?? 0),
  };
}

function readyOf(
  { glass, policies, replicas, openInAll }: BreakGlassObservation,
  isOver: boolean,
  window: ReturnType<typeof breakGlassWindow>,
): Omit<ConditionInput, "type"> {
  const { expiresAt } = glass.spec;
  if ("problem" in window) return { status: "False", reason: "TooLong", message: window.problem };
  if (isOver)
    return {
      status: "False",
      reason: "Expired",
      message: `ended at ${expiresAt}; its policies are enforced again`,
    };
  if (replicas.open < replicas.live && openInAll > MAX_REPORTED_GLASSES) {
    const message = `${openInAll} ShieldBreakGlasses are open, and replicas tell of ${MAX_REPORTED_GLASSES}: delete those that are no longer needed`;
    return { status: "False", reason: "Opening", message };
  }
  if (replicas.open < replicas.live || replicas.live === 0) {
    const message = `${replicas.open} of ${replicas.live} webhook replicas go by it so far; the others still refuse`;
    return { status: "False", reason: replicas.live === 0 ? "NoReplica" : "Opening", message };
  }
  const refusing = policies.filter(({ refuses }) => refuses !== undefined);
  const [first] = refusing;
  if (first !== undefined)
    return {
      status: "False",
      reason: "StillRefuses",
      message: refusing
        .map(({ name, refuses }) => `${name}: ${refuses}`)
        .join("; ")
        .slice(0, 4096),
    };
  return { status: "True", reason: "Open", message: `nothing is refused by its policies until ${expiresAt}` };
}
