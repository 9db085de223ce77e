/**
 * Something thrown by an evaluation. It is an `Error` to whoever catches it, but takes no stack trace: admission
 * policies run into "no such key" as a matter of course, and the trace would be most of the cost.
 */
abstract class Traceless implements Error {
  abstract readonly name: string;
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }

  toString(): string {
    return `${this.name}: ${this.message}`;
  }
}
Object.setPrototypeOf(Traceless.prototype, Error.prototype);

/**
 * Thrown when an expression has no value: a missing key, an overflow, an overload that does not exist.
 * `&&`, `||`, `?:`, `all` and `exists` absorb it as the CEL specification says ("Logical Operators").
 */
export class CelError extends Traceless {
  readonly name: string = "CelError";
}

/** The base of what ends an evaluation whatever the expression says: never absorbed. */
export abstract class CelAbort extends Traceless {}

/** Thrown when an evaluation has spent its cost budget. The text is cel-go's (interpreter/runtimecost.go). */
export class CelCostError extends CelAbort {
  readonly name = "CelCostError";
  constructor(message = "operation cancelled: actual cost limit exceeded") {
    super(message);
  }
}

/** Thrown when the caller's deadline passed during an evaluation. The text is cel-go's (interpreter/interpreter.go). */
export class CelDeadlineError extends CelAbort {
  readonly name = "CelDeadlineError";
  constructor(message = "operation interrupted") {
    super(message);
  }
}

/** Thrown when an evaluation touches or makes more than any policy needs (work.ts), whatever its cost by cel-go's rules. */
export class CelWorkError extends CelAbort {
  readonly name = "CelWorkError";
  constructor(message = "operation cancelled: too much work") {
    super(message);
  }
}

/** Thrown where upstream's own code gives way: the words are those of Go's runtime, as the API server passes them on. */
export class CelPanicError extends CelAbort {
  readonly name = "CelPanicError";
  constructor(goType: string, missing: string) {
    super(`internal error: interface conversion: ${goType} is not traits.Lister: missing method ${missing}`);
  }
}

/**
 * Thrown when the value depends on an answer the caller has not got yet, such as an authorizer's. `attributes`
 * says which question; whoever evaluates looks the answer up and evaluates again.
 */
export class CelPending<Attributes = unknown> extends CelAbort {
  readonly name = "CelPending";
  readonly attributes: Attributes;
  constructor(attributes: Attributes) {
    super("the answer to an external check is not known yet");
    this.attributes = attributes;
  }
}

/** One mistake in an expression. Lines count from 1, columns (in code points) from 0. */
export interface CelIssue {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Thrown by `parse` and `check`: what is wrong with an expression, and where. */
export class CelCompileError extends CelError {
  override readonly name = "CelCompileError";
  readonly issues: readonly CelIssue[];
  constructor(issues: readonly CelIssue[], source = "") {
    super(issues.map((issue) => formatIssue(issue, source)).join("\n"));
    this.issues = issues;
  }
}

/** The message with the line it speaks of and a caret below the column, laid out as cel-go does (common/error.go). */
export function formatIssue(issue: CelIssue, source: string): string {
  const head = `ERROR: <input>:${issue.line}:${issue.column + 1}: ${issue.message}`;
  const line = source.split("\n")[issue.line - 1];
  if (line === undefined || line.length > MAX_SNIPPET) return head;
  return `${head}\n | ${line.replaceAll("\t", " ")}\n | ${caretLine([...line], issue.column)}`;
}

/** Dots up to the place and a caret below it; wide ones where the line's character is more than one byte of UTF-8. */
function caretLine(points: readonly string[], column: number): string {
  const isWide = (point = " "): boolean => (point.codePointAt(0) ?? 0) > 0x7f;
  const dots = Array.from({ length: Math.max(0, column) }, (_, at) => (isWide(points[at]) ? "\uff0e" : "."));
  return `${dots.join("")}${isWide(points[column]) ? "\uff3e" : "^"}`;
}

/** Longer lines are not shown below a message, in UTF-16 code units (cel-go's maxSnippetLength). */
const MAX_SNIPPET = 16384;
