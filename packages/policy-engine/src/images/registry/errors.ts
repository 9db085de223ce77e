/** A registry did not say what it was asked. The message names its host, and nothing that was sent. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  /** It did answer, with what is not there or not what it should be: asking again will not help. */
  readonly isAnswer: boolean;
  constructor(message: string, options?: ErrorOptions & { readonly isAnswer?: boolean }) {
    super(message, options);
    this.isAnswer = options?.isAnswer ?? false;
  }
}
