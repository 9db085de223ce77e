import {
  breakGlassWindow,
  breaksPolicy,
  InvalidObjectError,
  isBreakGlassOpen,
  MAX_BREAK_GLASS_MS,
  MAX_REPORTED_GLASSES,
  parseShieldBreakGlass,
  type StoredBreakGlass,
} from "@shieldx/crds";
import type { Finding, PolicySet, Verdict } from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import { invalid } from "./exceptions.ts";

/** A ShieldBreakGlass that is open, for one policy. */
export interface OpenGlass {
  readonly name: string;
  readonly uid: string;
  readonly expiresAt: string;
}

/** A refusal that was set aside. */
export interface Suspension {
  readonly policy: string;
  readonly glass: OpenGlass;
}

export interface BreakGlassParts {
  readonly list: () => readonly StoredBreakGlass[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds by a clock that never goes back. */
  readonly monotonicNow: () => number;
}

/**
 * The ShieldBreakGlasses by which this replica goes. It holds their end itself, by two clocks: the one on the wall, and
 * one that does not go back, from when it saw the object first. Whichever says first that it is over is right.
 */
export class BreakGlasses {
  readonly #parts: BreakGlassParts;
  /** By uid: when it is over at the latest, by the monotonic clock. */
  readonly #deadlines = new Map<string, number>();

  constructor(parts: BreakGlassParts) {
    this.#parts = parts;
  }

  /** To be called on every one that is read, as soon as it is. */
  seen(glass: StoredBreakGlass): void {
    const uid = glass.metadata.uid ?? "";
    if (this.#deadlines.has(uid)) return;
    const window = breakGlassWindow(glass);
    const leftMs = "problem" in window ? 0 : window.untilMs - this.#parts.now();
    const mostMs = Math.min(MAX_BREAK_GLASS_MS, Math.max(0, leftMs));
    this.#deadlines.set(uid, this.#parts.monotonicNow() + mostMs);
  }

  gone(uid: string): void {
    this.#deadlines.delete(uid);
  }

  /** All that are open now. */
  get open(): readonly StoredBreakGlass[] {
    const now = this.#parts.now();
    return this.#parts.list().filter((glass) => this.#isOpen(glass, now));
  }

  /** Of several the one that ends last. */
  openFor(policy: string): OpenGlass | undefined {
    const [last] = this.open
      .filter(({ spec }) => breaksPolicy(spec, policy))
      .sort((a, b) => Date.parse(b.spec.expiresAt) - Date.parse(a.spec.expiresAt));
    if (last === undefined) return undefined;
    const { name, uid = "" } = last.metadata;
    return { name, uid, expiresAt: last.spec.expiresAt };
  }

  #isOpen(glass: StoredBreakGlass, now: number): boolean {
    const deadline = this.#deadlines.get(glass.metadata.uid ?? "") ?? Number.NEGATIVE_INFINITY;
    return this.#parts.monotonicNow() < deadline && isBreakGlassOpen(glass, now);
  }
}

/** The verdict without the refusals of policies that are suspended: these become warnings. */
export function setAside<V extends Verdict>(
  verdict: V,
  openFor: (policy: string) => OpenGlass | undefined,
): { readonly verdict: V; readonly suspensions: readonly Suspension[] } {
  if (verdict.denials.length === 0) return { verdict, suspensions: [] };
  const suspensions = new Map<string, Suspension>();
  const denials: Finding[] = [];
  const warnings: Finding[] = [...verdict.warnings];
  for (const finding of verdict.denials) {
    const glass = suspensions.get(finding.policy)?.glass ?? openFor(finding.policy);
    if (glass === undefined) {
      denials.push(finding);
      continue;
    }
    suspensions.set(finding.policy, { policy: finding.policy, glass });
    const message = `let pass until ${glass.expiresAt} by ShieldBreakGlass "${glass.name}": ${finding.message}`;
    warnings.push({ ...finding, action: "warn", message });
  }
  if (suspensions.size === 0) return { verdict, suspensions: [] };
  return {
    verdict: { ...verdict, denials, warnings, allowed: denials.length === 0 },
    suspensions: [...suspensions.values()],
  };
}

/** What the schema cannot say of a ShieldBreakGlass: its end against the clock, and whether there are such policies. */
export function judgeBreakGlass(
  request: AdmissionRequest,
  {
    policySet,
    now,
    open = 0,
  }: {
    readonly policySet: PolicySet | undefined;
    readonly now: number;
    /** How many are open here. */
    readonly open?: number | undefined;
  },
): AdmissionAnswer {
  try {
    const { spec } = parseShieldBreakGlass(request.object, { unknownFields: "drop" });
    if (request.operation !== "CREATE")
      return invalid(
        "spec: does not change once written; delete this one to end it, and create another for what is different",
      );
    const untilMs = Date.parse(spec.expiresAt);
    if (untilMs <= now) return invalid(`spec.expiresAt: ${spec.expiresAt} has passed: choose a later time`);
    // Its creation is now, as near as two clocks agree.
    if (untilMs - now > MAX_BREAK_GLASS_MS)
      return invalid(
        `spec.expiresAt: ${spec.expiresAt} is more than 4 hours from now: choose an earlier time, and open another one should it take longer`,
      );
    if (open >= MAX_REPORTED_GLASSES)
      return invalid(
        `spec: ${open} ShieldBreakGlasses are open, which is as many as may be: delete those that are no longer needed (kubectl get shieldbreakglasses), or name more policies in one: spec.policies, or spec.allPolicies`,
      );
    const unknown = (spec.policies ?? []).flatMap((name, index) =>
      policySet?.policy(name) === undefined
        ? [`spec.policies[${index}]: there is no ShieldPolicy "${name}" in force: check the name`]
        : [],
    );
    const which = spec.allPolicies === true ? "all ShieldPolicies" : (spec.policies ?? []).join(", ");
    return {
      allowed: true,
      warnings: [
        ...unknown,
        `until ${spec.expiresAt} nothing is refused by ${which}; what passes is recorded with its user`,
      ],
    };
  } catch (error) {
    if (error instanceof InvalidObjectError) return invalid(error.message);
    throw error;
  }
}
