import { randomUUID } from "node:crypto";
import type { RegoJson } from "@shieldx/policy-engine/decisions";
import type { RefusalTeller } from "../admission/refusals.ts";
import type { DecisionLog } from "./log.ts";

/**
 * Also writes each refusal to the decision log, as `admission/<policy>`. The object is left out: it may be a Secret, and
 * the log goes elsewhere.
 */
export function admissionLogger(refusals: RefusalTeller, log: DecisionLog, now: () => number): RefusalTeller {
  return {
    tell(request, verdict) {
      refusals.tell(request, verdict);
      const { uid, kind, resource, operation, name, namespace, userInfo } = request;
      const asked: Record<string, RegoJson> = {
        uid,
        kind: { ...kind },
        resource: { ...resource },
        operation,
        ...(name === undefined ? {} : { name }),
        ...(namespace === undefined ? {} : { namespace }),
        userInfo: { username: userInfo.username ?? "", groups: [...(userInfo.groups ?? [])] },
      };
      for (const { policy, code, message } of verdict.denials) {
        log.record({
          decisionId: randomUUID(),
          timestampMs: now(),
          path: `admission/${policy}`,
          input: { request: asked },
          result: { allowed: false, code, message },
          requestedBy: "kube-apiserver",
          username: userInfo.username ?? "",
          requestId: undefined,
          traceparent: undefined,
          metrics: {},
          revisions: new Map(),
        });
      }
    },
  };
}
