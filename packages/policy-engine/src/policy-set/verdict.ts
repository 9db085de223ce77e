import { createHash } from "node:crypto";
import type { ExemptionGround } from "../pod-security/exemptions.ts";
import {
  type Annotations,
  type Check,
  noAnnotations,
  type StatusReason,
  type Violation,
} from "./judgement.ts";

export type FindingAction = "deny" | "warn" | "audit";

export type FindingCode =
  /** The object breaks the policy. */
  | "PolicyViolation"
  /** The object is not shaped like what it says it is, so it cannot be judged. */
  | "MalformedObject"
  /** The request is too large to be read, so its object was not looked at. */
  | "TooLarge"
  /** So much was being judged that there was no room for the request, so its object was not looked at. */
  | "NoRoom"
  /** Time ran out before the policy was evaluated. */
  | "DeadlineExceeded"
  /** The policy selects namespaces by label and this namespace's labels are not known. */
  | "NamespaceUnknown"
  /** An expression came to no answer; the message says which and why. */
  | "EvaluationError"
  /** A host that the policy calls did not answer, or not in time. */
  | "CallFailed"
  /** Applied a second time, the policy's mutations would change the object again. */
  | "NotIdempotent"
  /** The policy's mutations change what no mutation may. */
  | "ForbiddenChange"
  /** The schema of the object's kind, by which mutations merge lists, could not be read yet. */
  | "SchemaUnknown"
  /** A defect of ours; the message carries the error. */
  | "InternalError";

/** What one policy has to say about one object. */
export interface Finding {
  readonly policy: string;
  readonly action: FindingAction;
  readonly code: FindingCode;
  /** One line for people: policy, object, what is wrong, where to read on. */
  readonly message: string;
  readonly violations: readonly Violation[];
  /** What a refusal for it is called. */
  readonly statusReason: StatusReason;
}

/** A policy that matched and did not judge, or whose refusal was set aside. */
export interface Exempted {
  readonly policy: string;
  readonly ground: ExemptionGround | "exception";
  /** `namespace/name` of the ShieldException. */
  readonly exception?: string;
  /** What the exception set aside. */
  readonly violations: readonly Violation[];
}

export interface Verdict {
  readonly allowed: boolean;
  /** Reasons to refuse; empty when allowed. */
  readonly denials: readonly Finding[];
  /** For the client, as admission warnings. */
  readonly warnings: readonly Finding[];
  /** For the audit log and metrics; also evaluation errors that failurePolicy Ignore lets pass. */
  readonly audits: readonly Finding[];
  readonly exempted: readonly Exempted[];
  /** Names of the policies that matched the request, in order. */
  readonly matched: readonly string[];
  /** What policies want the audit log to hold, by `policy_key`. */
  readonly annotations: Annotations;
  /** Not empty: nothing is decided yet; have these answered and evaluate again. */
  readonly asks: readonly { readonly policy: string; readonly check: Check }[];
  /** Policies of a stage that were held against the request, and how long that took, in milliseconds. */
  readonly staged: readonly { readonly policy: string; readonly tookMs: number }[];
}

export const nothingToSay: Verdict = Object.freeze({
  allowed: true,
  denials: Object.freeze([]),
  warnings: Object.freeze([]),
  audits: Object.freeze([]),
  exempted: Object.freeze([]),
  matched: Object.freeze([]),
  annotations: noAnnotations,
  asks: Object.freeze([]),
  staged: Object.freeze([]),
});

/** Collects what policies say; `verdict` is what the request gets. */
export class VerdictBuilder {
  readonly #findings: Record<FindingAction, Finding[]> = { deny: [], warn: [], audit: [] };
  readonly #exempted: Exempted[] = [];
  readonly #matched: string[] = [];
  readonly #annotations = new Map<string, readonly string[]>();
  readonly #asks: { policy: string; check: Check }[] = [];
  readonly #staged: { policy: string; tookMs: number }[] = [];

  matched(policy: string): void {
    this.#matched.push(policy);
  }

  add(finding: Finding): void {
    this.#findings[finding.action].push(finding);
  }

  annotate(policy: string, annotations: Annotations): void {
    if (annotations.size === 0) return;
    for (const [key, values] of annotations) this.#annotations.set(annotationKey(policy, key), values);
  }

  ask(policy: string, checks: readonly Check[]): void {
    for (const check of checks) this.#asks.push({ policy, check });
  }

  staged(policy: string, tookMs: number): void {
    this.#staged.push({ policy, tookMs });
  }

  exempt(exempted: Exempted): void {
    this.#exempted.push(exempted);
  }

  verdict(): Verdict {
    return {
      allowed: this.#findings.deny.length === 0,
      denials: this.#findings.deny,
      warnings: this.#findings.warn,
      audits: this.#findings.audit,
      exempted: this.#exempted,
      matched: this.#matched,
      annotations: this.#annotations,
      asks: this.#asks,
      staged: this.#staged,
    };
  }
}

/** The API server takes names of so many characters; a policy's has no `_`, so that no two meet. */
const longestKey = 63;

function annotationKey(policy: string, key: string): string {
  const whole = `${policy}_${key}`;
  if (whole.length <= longestKey) return whole;
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, 10);
  return `${whole.slice(0, longestKey - hash.length - 1)}_${hash}`;
}
