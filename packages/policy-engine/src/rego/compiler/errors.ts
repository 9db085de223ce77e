/** Thrown when the compiler itself cannot be used: its file is missing or no module, or no process can be started. */
export class CompilerUnavailableError extends Error {
  readonly code = "COMPILER_UNAVAILABLE";
  constructor(problem: string, options?: ErrorOptions) {
    super(`the Rego compiler cannot be used: ${problem}`, options);
    this.name = "CompilerUnavailableError";
  }
}
