/** Reasons a validation may give, and the HTTP status each stands for (policy/validating/policy_decision.go). */
const statusOf = {
  Unauthorized: 401,
  Forbidden: 403,
  Invalid: 422,
  RequestEntityTooLarge: 413,
} as const;

export type AdmissionReason = keyof typeof statusOf;

/** Reasons the API server accepts in a policy (admissionregistration/validation: Unauthorized is not among them). */
export const acceptedReasons: readonly AdmissionReason[] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];

export function isAcceptedReason(reason: string): reason is AdmissionReason {
  return acceptedReasons.some((accepted) => accepted === reason);
}

export function statusCodeOf(reason: AdmissionReason): number {
  return statusOf[reason];
}
