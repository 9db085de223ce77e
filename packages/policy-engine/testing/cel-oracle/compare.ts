/** Sets what our evaluation says beside what the API server said. */

import type { CelFailure, CelOutcome } from "../../src/cel/admission/outcome.ts";
import { statusCodeOf } from "../../src/cel/admission/reasons.ts";
import type { OraclePair } from "./oracle-server.ts";

export interface Difference {
  readonly ours: unknown;
  readonly servers: unknown;
}

/** Undefined when the server's answer is among those ours stands for. */
export function difference(pair: OraclePair, outcome: CelOutcome): Difference | undefined {
  return pair.how === "audit" ? auditDifference(pair, outcome) : denyDifference(pair, outcome);
}

/** Several parameter objects come in no order that a policy could rely on: failures are compared as a set. */
function auditDifference(pair: OraclePair, outcome: CelOutcome): Difference | undefined {
  const ours = outcome.failures.map(({ index = 0, message }) => ({ expressionIndex: index, message }));
  const servers = pair.failures.map(({ expressionIndex = 0, message }) => ({ expressionIndex, message }));
  const sorted = (list: readonly object[]) => list.map((entry) => JSON.stringify(entry)).sort();
  return sorted(ours).join() === sorted(servers).join() ? undefined : { ours, servers };
}

function denyDifference({ status }: OraclePair, { failures }: CelOutcome): Difference | undefined {
  const candidates = firstOfEachParam(failures).map(({ message, reason }) => ({
    code: statusCodeOf(reason),
    reason,
    message,
  }));
  if (status === undefined)
    return candidates.length === 0 ? undefined : { ours: candidates, servers: "allowed" };
  const found = candidates.some(
    ({ code, reason, message }) =>
      code === status.code &&
      reason === status.reason &&
      status.message.endsWith(` denied request: ${message}`),
  );
  return found ? undefined : { ours: candidates, servers: status };
}

function firstOfEachParam(failures: readonly CelFailure[]): CelFailure[] {
  const params = new Set<number | undefined>();
  return failures.filter(({ param }) => {
    if (params.has(param)) return false;
    params.add(param);
    return true;
  });
}
