import type { Condition } from "../kubernetes/objects.ts";

/** Longest `message` the API accepts, in characters (`metav1.Condition`, maxLength). */
export const longestConditionMessage = 32_768;

/** Longest `reason` the API accepts, in characters. */
export const longestConditionReason = 1_024;

/** A condition as a reconciler states it; the time is found out by {@link setCondition}. */
export interface ConditionInput {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase, never empty. */
  readonly reason: string;
  /** Cut to 32,768 characters. */
  readonly message: string;
  readonly observedGeneration?: number | undefined;
}

/**
 * The conditions with this one set, in the given order, new ones at the end. `lastTransitionTime` is kept when
 * the status did not change; the very same array comes back when nothing did, so that a caller can skip the
 * write by comparing.
 *
 * @param now milliseconds since the epoch; the API keeps whole seconds.
 * @throws TypeError when the reason is not a word the API accepts.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  input: ConditionInput,
  now: number,
): readonly Condition[] {
  assertReason(input.reason);
  const before = findCondition(conditions, input.type);
  const { observedGeneration } = input;
  const condition: Condition = {
    type: input.type,
    status: input.status,
    reason: input.reason,
    message: cut(input.message, longestConditionMessage),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    lastTransitionTime:
      before !== undefined && before.status === input.status ? before.lastTransitionTime : formatTime(now),
  };
  if (before === undefined) return [...(conditions ?? []), condition];
  if (isSame(before, condition)) return conditions ?? [];
  return (conditions ?? []).map((other) => (other.type === input.type ? condition : other));
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** The conditions without this type; the very same array when it was not there. */
export function removeCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): readonly Condition[] {
  if (findCondition(conditions, type) === undefined) return conditions ?? [];
  return (conditions ?? []).filter((condition) => condition.type !== type);
}

/** Whether a condition of this type is there with status True. */
export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === "True";
}

function isSame(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration &&
    a.lastTransitionTime === b.lastTransitionTime
  );
}

function assertReason(reason: string): void {
  if (reason.length <= longestConditionReason && /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(reason))
    return;
  throw new TypeError(`condition reason ${JSON.stringify(reason.slice(0, 80))} is not a CamelCase word`);
}

/** `metav1.Time`: RFC 3339 in whole seconds. */
function formatTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** Cuts by UTF-16 units, never through a surrogate pair; an ellipsis shows that something is missing. */
function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const end = /[\uD800-\uDBFF]/.test(text.charAt(longest - 2)) ? longest - 2 : longest - 1;
  return `${text.slice(0, end)}…`;
}
