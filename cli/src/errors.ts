/** Something the person at the keyboard can mend. Printed as one line, without a stack. */
export class UsageError extends Error {
  readonly code: string;
  readonly exitCode: number;
  constructor(code: string, message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "UsageError";
    this.code = code;
    this.exitCode = options.exitCode ?? 2;
  }
}
