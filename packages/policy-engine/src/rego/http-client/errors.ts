/** A call could not be made, or its answer had. Messages name the host, never what was sent. */
export class CallFailedError extends Error {
  /** It is not for the policy to go on without the answer: see `CallOutcome`. */
  readonly endsEvaluation: boolean;
  constructor(message: string, options?: ErrorOptions & { readonly endsEvaluation?: boolean }) {
    super(message, options);
    this.name = "CallFailedError";
    this.endsEvaluation = options?.endsEvaluation ?? false;
  }
}
