import {
  isTakenOver,
  type PolicySetInput,
  type Prepared,
  type PreparedPolicies,
  preparation,
} from "./build.ts";
import { inTurns } from "./timing.ts";

/** Policies compiled before others get a turn: some milliseconds. */
export const POLICIES_PER_SLICE = 4;

/**
 * Compiles what is new in a set, a few policies or one of their tests at a time, for a process that answers requests meanwhile: hand the result
 * to `buildPolicySet` with the same input, and it has nothing left to compile.
 *
 * @param pause lets others have their turn
 */
export async function preparePolicies(
  input: PolicySetInput,
  pause: () => Promise<void>,
): Promise<PreparedPolicies> {
  const prepared = new Map<(typeof input.policies)[number], Prepared>();
  for (const policy of input.policies) {
    if (isTakenOver(policy, input)) continue;
    if (prepared.size > 0 && prepared.size % POLICIES_PER_SLICE === 0) await pause();
    prepared.set(policy, await inTurns(preparation(policy, input), pause));
  }
  return prepared;
}
