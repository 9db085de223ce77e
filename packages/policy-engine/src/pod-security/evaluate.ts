import { checksFor } from "./catalogue.ts";
import type { CheckId } from "./check.ts";
import { type PodSecurityLevel, type PodSecurityVersion, resolveMinor } from "./levels.ts";
import { type PodView, readPod } from "./pod-view.ts";

export interface PodSecurityRequest {
  readonly level: PodSecurityLevel;
  readonly version: PodSecurityVersion;
  /** What `latest` means here; the newest known edition when left out. */
  readonly serverMinor?: number;
  /** Of the Pod, or of the template. Only annotations are read. */
  readonly metadata: unknown;
  readonly spec: unknown;
}

export interface Violation {
  /** The check's id, or `malformed` where the object could not be read as a Pod. */
  readonly checkId: CheckId | "malformed";
  /** Short; equals upstream's ForbiddenReason. */
  readonly reason: string;
  /** Names the containers and fields; equals upstream's ForbiddenDetail. */
  readonly detail: string;
}

export interface PodSecurityVerdict {
  readonly allowed: boolean;
  readonly violations: readonly Violation[];
}

/**
 * Judges a Pod by the Pod Security Standards. Never throws on whatever `metadata` and `spec` hold: what is
 * not shaped like a Pod is refused with a `malformed` violation that names the fields.
 *
 * @throws RangeError when `version` is not a version.
 */
export function evaluatePodSecurity(request: PodSecurityRequest): PodSecurityVerdict {
  const minor = resolveMinor(request.version, request.serverMinor);
  if (request.level === "privileged") return allowed;
  const reading = readPod(request.metadata, request.spec);
  if (reading.pod === undefined) return refused([malformed(reading.problems)]);
  return judgePod(reading.pod, request.level, minor);
}

/** The same for a Pod already read, so that several policies share one reading. */
export function judgePod(pod: PodView, level: PodSecurityLevel, minor: number): PodSecurityVerdict;
/** Undefined when `isLate`, asked before each check, said that time has run out. */
export function judgePod(
  pod: PodView,
  level: PodSecurityLevel,
  minor: number,
  isLate: () => boolean,
): PodSecurityVerdict | undefined;
export function judgePod(
  pod: PodView,
  level: PodSecurityLevel,
  minor: number,
  isLate?: () => boolean,
): PodSecurityVerdict | undefined {
  let violations: Violation[] | undefined;
  for (const check of checksFor(level, minor)) {
    if (isLate?.() === true) return undefined;
    const refusal = check.judge(pod);
    if (refusal === undefined) continue;
    violations ??= [];
    violations.push({ checkId: check.id, reason: refusal.reason, detail: refusal.detail });
  }
  return violations === undefined ? allowed : refused(violations);
}

export function malformed(problems: readonly string[]): Violation {
  return { checkId: "malformed", reason: "malformed object", detail: problems.join("; ") };
}

const allowed: PodSecurityVerdict = Object.freeze({ allowed: true, violations: Object.freeze([]) });

function refused(violations: readonly Violation[]): PodSecurityVerdict {
  return { allowed: false, violations };
}
