import type { QuickRule } from "../cel/admission/index.ts";
import type { AuthorizationCheck } from "../cel/kubernetes/authorization-check.ts";
import type { ImageCheck } from "../images/check.ts";
import type { ExemptionGround } from "../pod-security/exemptions.ts";
import type { HttpCall } from "../rego/calls/index.ts";
import type { QuickQuery } from "../rego/evaluate/index.ts";
import type { Question } from "./question.ts";

/** One rule of a policy that an object breaks. */
export interface Violation {
  /** What is broken: a check of the Pod Security Standards, `validations[0]`, a rule for images, or `malformed`. */
  readonly checkId: string;
  /** Short: why, or the `reason` a validation gives. */
  readonly reason: string;
  /** For people: what is wrong. */
  readonly detail: string;
}

/** What a policy has to know before it can judge: what the authorizer says, what a host answers, or who signed an image. */
export type Check = AuthorizationCheck | HttpCall | ImageCheck;

/** What one policy says of one question. */
export type Judgement =
  /** `annotations`: for the audit log, by key. */
  | { readonly kind: "passes"; readonly annotations: Annotations }
  /** The policy is not about this request after all. */
  | { readonly kind: "irrelevant" }
  /** Nothing is decided before these are answered. */
  | { readonly kind: "asks"; readonly checks: readonly Check[] }
  | { readonly kind: "exempt"; readonly ground: ExemptionGround }
  /** `isMalformed`: the object is not what it says it is; no exception covers that. */
  | {
      readonly kind: "breaks";
      readonly violations: readonly Violation[];
      /** What else could not be told: it counts once exceptions have set all violations aside. */
      readonly unjudged?: Unjudged | undefined;
      readonly isMalformed: boolean;
      readonly annotations: Annotations;
      /** Reason of the refusal, and through it the HTTP status. */
      readonly statusReason: StatusReason;
    }
  /** Evaluation did not come to an end: failurePolicy decides. */
  | ({ readonly kind: "fails" } & Unjudged);

/** Why evaluation did not come to an end. */
export interface Unjudged {
  readonly code: "DeadlineExceeded" | "EvaluationError" | "NamespaceUnknown" | "CallFailed";
  /** For people. */
  readonly problem: string;
}

/** Of a policy that time ended, or that it left none for. */
export function outOfTime({ whyLate }: Question): Extract<Judgement, { kind: "fails" }> {
  return { kind: "fails", code: "DeadlineExceeded", problem: whyLate };
}

/** Reasons a validation may give for a refusal. */
export type StatusReason = "Unauthorized" | "Forbidden" | "Invalid" | "RequestEntityTooLarge";

export type Annotations = ReadonlyMap<string, readonly string[]>;

export const noAnnotations: Annotations = new Map();

export const passes: Judgement = Object.freeze({ kind: "passes", annotations: noAnnotations });

/** The part of a compiled policy that its engine is responsible for. */
export interface Judge {
  /** What it judges by, as in messages: `restricted:latest`. Empty where the name of the policy says it all. */
  readonly basis: string;
  /** Resources beyond these are never judged, whatever the policy's rules cover. */
  reaches(group: string, resource: string, subresource: string): boolean;
  /** Requests that pass unseen: see "Never trap existing objects" in the package's README. */
  mustPass(question: Question): boolean;
  judge(question: Question): Judgement;
  /** Tells sooner that the policy has nothing to say, where it can. */
  readonly quick?: QuickRule | undefined;
  readonly quickRego?: QuickQuery | undefined;
  /** One violation as part of a sentence. */
  describe(violation: Violation): string;
  /** Where in the object the judged part sits: `spec.template`; empty for the whole. */
  partOf(question: Question): string;
  /** Where to read on; may be empty. */
  readonly hint: string;
}

/** Of a policy that the API server evaluates itself. */
export const neverHere: Judge = Object.freeze({
  basis: "",
  reaches: () => false,
  mustPass: () => true,
  judge: () => passes,
  describe: ({ detail }: Violation) => detail,
  partOf: () => "",
  hint: "",
});
