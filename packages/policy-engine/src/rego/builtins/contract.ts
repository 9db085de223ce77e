/** What a built-in function is, and what it may use of the world. */
import type { CallOutcome, HttpCall } from "../calls/call.ts";
import type { AllowedHost } from "../calls/hosts.ts";
import type { SourceLocation } from "../plan/statements.ts";
import type { PlainObject, RegoValue } from "../values.ts";

export interface Builtin {
  /** As policies call it: `strings.any_prefix_match`. */
  readonly name: string;
  /** How many arguments the declaration has; calls with others are refused when a plan is loaded. */
  readonly arity?: number;
  /**
   * Whether the time a call takes does not depend on how large its arguments are, or the built-in charges for that
   * itself. All others are charged for the size of their arguments before they run.
   */
  readonly isFree?: boolean;
  /**
   * Undefined is Rego's undefined. Arguments must not be changed. Throws `BuiltinError` for what OPA reports as
   * `eval_builtin_error` or `eval_type_error`: the call is then undefined, or ends the query under strict errors.
   */
  readonly call: (args: readonly RegoValue[], context: BuiltinContext) => RegoValue | undefined;
  /** For code that has two texts at hand, or two numbers that are no bigint. */
  readonly ofTexts?: PairAnswer<string> | undefined;
  readonly ofNumbers?: PairAnswer<number> | undefined;
}

/** A built-in of two operands of one kind: the same answer as its `call`, for the same work. */
export interface PairAnswer<T> {
  readonly answer: (a: T, b: T) => RegoValue;
  /** Units, those of the call and its arguments included. */
  readonly work: (a: T, b: T) => number;
}

export type BuiltinErrorCode = "eval_builtin_error" | "eval_type_error";

/** A built-in refused its arguments. The message is without the built-in's name; the evaluator puts that before it. */
export class BuiltinError extends Error {
  readonly code: BuiltinErrorCode;
  constructor(code: BuiltinErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BuiltinError";
    this.code = code;
  }
}

export type EvaluationErrorCode =
  | "eval_internal_error"
  | "eval_cancel_error"
  | "eval_conflict_error"
  | "eval_type_error"
  | "eval_builtin_error"
  | "eval_with_merge_error";

/** Evaluation ended without a result, whatever the strictness: out of time or cost, conflicting values, too deep. */
export class EvaluationError extends Error {
  readonly code: EvaluationErrorCode;
  /** Where in the policy, where that is known. */
  readonly location: SourceLocation | undefined;
  constructor(
    code: EvaluationErrorCode,
    message: string,
    options?: ErrorOptions & { readonly location?: SourceLocation },
  ) {
    super(message, options);
    this.name = "EvaluationError";
    this.code = code;
    this.location = options?.location;
  }
}

/**
 * A call would go beyond a limit that OPA does not have. It ends the query: were the call undefined, as after a
 * `BuiltinError`, a rule that denies would not fire, and a large enough input would be let through.
 */
export class LimitError extends EvaluationError {
  constructor(message: string, options?: ErrorOptions) {
    super("eval_cancel_error", message, options);
    this.name = "LimitError";
  }
}

/**
 * A call out of the process that cannot be made, or was refused. It ends the query, as OPA documents for `raise_error`:
 * were the call undefined, a rule that denies would not fire.
 */
export class CallError extends EvaluationError {
  /** Trying again may help: the host did not answer. */
  readonly mayPass: boolean;
  constructor(
    message: string,
    options?: ErrorOptions & { readonly mayPass?: boolean; readonly code?: BuiltinErrorCode },
  ) {
    super(options?.code ?? "eval_builtin_error", message, options);
    this.name = "CallError";
    this.mayPass = options?.mayPass ?? false;
  }
}

/** Not an error: the query waits for a call's outcome, and is to be made again with it. */
export class AwaitsOutcome extends Error {
  readonly call: HttpCall;
  constructor(call: HttpCall) {
    super("the query waits for the outcome of a call");
    this.name = "AwaitsOutcome";
    this.call = call;
  }
}

/** What a query may call. */
export interface HttpAccess {
  readonly hosts: readonly AllowedHost[];
  /** Undefined while the call has not been sent: the query then ends with `AwaitsOutcome`. */
  readonly lookUp: (call: HttpCall) => CallOutcome | undefined;
}

/** One per query: two calls of `time.now_ns()` in one query give the same answer. */
export interface BuiltinContext {
  /** Nanoseconds since 1970. */
  readonly nowNs: bigint;
  /** Randomness for `rand.intn` and `uuid.rfc4122`; a seeded source replays a query. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** Sink of `print()`; the location is given by the caller. */
  readonly print: (message: string) => void;
  /** Sink of `trace()`. */
  readonly trace: (message: string) => void;
  /**
   * Things kept between queries, by a key that begins with the built-in's name (`regex:<pattern>`). Bounded by its
   * owner, so an entry may be gone at the next call.
   */
  readonly cache: BuiltinCache;
  /** Things kept within this query only (answers that must not change during it: `rand.intn`, `uuid`). */
  readonly queryCache: Map<string, unknown>;
  /**
   * Counts work, in units of about one element or 16 characters touched, against the query's limit, and looks at the
   * clock now and then. Throws `EvaluationError` once the query is out of either. Call it before work that grows with
   * the arguments, with the amount about to be done.
   */
  readonly spend: (units: number) => void;
  /** `opa.runtime()`; env is what the caller chooses to show, never the process's own. */
  readonly runtime: PlainObject;
  /** Hosts that `net.lookup_ip_addr` may look up; empty by default. */
  readonly allowedHosts: readonly string[];
  /** Absent by default: then `http.send` fails with a clear error. */
  readonly http?: HttpAccess | undefined;
  /** Absent by default: then `net.lookup_ip_addr` fails with a clear error. */
  readonly lookup?: ((host: string) => readonly string[]) | undefined;
}

export interface BuiltinCache {
  get(key: string): unknown;
  /** `size` is what the entry takes of the bound on all together, in instructions of a compiled pattern. */
  set(key: string, value: unknown, size?: number): void;
}
