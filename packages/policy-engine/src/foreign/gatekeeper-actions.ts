/** What a constraint does where: its enforcementAction, or one for each enforcement point. */
import { at, isPlain, type Plain, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

export interface GatekeeperActions {
  readonly admission: "deny" | "warn" | "audit" | "off";
  readonly background: "audit" | "off";
}

type Admission = GatekeeperActions["admission"];

const meaning: ReadonlyMap<string, Admission> = new Map([
  ["deny", "deny"],
  ["warn", "warn"],
  ["dryrun", "audit"],
]);
const strength: readonly Admission[] = ["deny", "warn", "audit", "off"];
/** Points that decide requests, and those that look at what exists. */
const requestPoints = ["validation.gatekeeper.sh", "vap.k8s.io", "*"];
const auditPoints = ["audit.gatekeeper.sh", "*"];

export function actionsOf(constraint: Source): GatekeeperActions {
  const path = "spec.enforcementAction";
  const action = constraint.text(path) ?? "deny";
  if (action === "scoped") return scopedActions(constraint);
  const admission = meaning.get(action);
  if (admission !== undefined) return { admission, background: "audit" };
  constraint.lost(
    path,
    `${action} is an action of your own: the policy takes note only; choose deny, warn or audit in actions.admission`,
  );
  return { admission: "audit", background: "audit" };
}

function scopedActions(constraint: Source): GatekeeperActions {
  const path = "spec.scopedEnforcementActions";
  const entries = constraint.records(path) ?? [];
  const atPoints = (points: readonly string[]): Admission => {
    const found = entries.filter((entry) => pointsOf(entry).some((point) => points.includes(point)));
    const actions = found.map((entry) => meaning.get(textAt(entry, "action") ?? "") ?? "audit");
    return strength.find((each) => actions.includes(each)) ?? "off";
  };
  for (const [index, entry] of entries.entries()) {
    const action = textAt(entry, "action");
    if (action === undefined || !meaning.has(action))
      constraint.lost(
        `${path}[${index}].action`,
        "is none of deny, warn and dryrun: the policy takes note only",
      );
  }
  return {
    admission: atPoints(requestPoints),
    background: atPoints(auditPoints) === "off" ? "off" : "audit",
  };
}

function pointsOf(entry: Plain): string[] {
  const points = at(entry, "enforcementPoints");
  return Array.isArray(points) ? points.filter(isPlain).flatMap((point) => textAt(point, "name") ?? []) : [];
}
