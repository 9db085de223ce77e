import type { EventRecorder, ObjectReference } from "@shieldx/controller-runtime";
import { policyTitle } from "@shieldx/crds";
import type { Verdict } from "@shieldx/policy-engine";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { controllerOf } from "./owner.ts";

/** Tells whoever owns a refused object about it. */
export interface RefusalTeller {
  /** Returns at once; whatever it takes happens after the review has been answered. */
  tell(request: AdmissionRequest, verdict: Verdict): void;
}

export interface RefusalTellerParts {
  readonly events: EventRecorder;
  /** The controller above a controller, as far up as it goes; undefined where there is none. */
  readonly topmost: (controller: ObjectReference) => Promise<ObjectReference | undefined>;
}

const longestNote = 1_024;
/** Refusals whose owner is not told yet; beyond, only the refused client knows. */
const mostWaiting = 256;

/**
 * A refused Pod leaves no trace but in its creator, and nobody looks at a ReplicaSet: so the Event goes to the direct
 * owner and to the topmost, where `kubectl describe deployment` shows it.
 */
export function refusalTeller({ events, topmost }: RefusalTellerParts): RefusalTeller {
  let waiting = 0;

  /** Apart, so that whoever waits here keeps no object of a request in memory, which may be large. */
  async function tellOwners(
    owner: ObjectReference,
    { what, why }: { what: string; why: string },
  ): Promise<void> {
    record(events, owner, what, why);
    const top = await topmost(owner);
    if (top !== undefined) record(events, top, `${what} of ${owner.kind} ${owner.name}`, why);
  }

  function tellNow(request: AdmissionRequest, verdict: Verdict): Promise<void> | undefined {
    const owner = controllerOf(request.object, request.namespace);
    if (owner === undefined || ![owner.name, request.name, request.namespace].every(isNameOrAbsent))
      return undefined;
    const about = aboutRefusal(request, verdict);
    return about && tellOwners(owner, about);
  }

  async function told(telling: Promise<void> | undefined): Promise<void> {
    try {
      await telling;
    } finally {
      waiting -= 1;
    }
  }

  return {
    tell: (request, verdict) => {
      if (waiting >= mostWaiting) return;
      waiting += 1;
      setImmediate(() => void told(tellNow(request, verdict)));
    },
  };
}

/** RFC 1123 subdomain, as every name here is; empty on a create with generateName. */
function isNameOrAbsent(name: string | undefined): boolean {
  return name === undefined || name === "" || /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name);
}

/** Whoever reaches the port may send a review, so nothing of it that could be prose goes into an Event. */
function aboutRefusal(
  request: AdmissionRequest,
  verdict: Verdict,
): { what: string; why: string } | undefined {
  const [first, ...others] = verdict.denials;
  if (first === undefined) return undefined;
  const kind = /^[A-Za-z]{1,63}$/.test(request.kind.kind) ? request.kind.kind : "object";
  const more = others.length === 0 ? "" : ` (and ${others.length} more policies)`;
  const checks = first.violations.map(({ checkId }) => checkId).join(", ") || first.code;
  return {
    what: `${policyTitle(first.policy)} refuses ${request.name ? `${kind} ${request.name}` : `a new ${kind}`}`,
    why: `${checks}${more}. The answer to the request names the fields.`,
  };
}

function record(events: EventRecorder, to: ObjectReference, what: string, why: string): void {
  const note = `${what}: ${why}`;
  events.event(to, {
    type: "Warning",
    reason: "PolicyViolation",
    action: "Refuse",
    note: note.length <= longestNote ? note : `${note.slice(0, longestNote - 1).toWellFormed()}…`,
  });
}
