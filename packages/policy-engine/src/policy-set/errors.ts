export type PolicyCompileErrorCode =
  /** The field is in the schema and its behaviour is not built yet. */
  | "NotYetSupported"
  /** A field the engine needs is missing. */
  | "Required"
  /** A field's value cannot be used. */
  | "Invalid"
  /** Its namespace has more policies of tenants than it may. */
  | "TooManyPolicies"
  /** It is being compiled, by a process of its own. */
  | "Compiling"
  /** The compiler could not be run; it will be tried again. */
  | "CompilerFailed"
  /** Its bundle has not been fetched yet. */
  | "BundlePending"
  /** Its bundle cannot be had so far; it will be tried again. */
  | "BundleFailed"
  /** It compiles, and a case of its own tests comes to something else than it expects. */
  | "TestsFailed"
  /** It compiles, and its tests took too long to tell. */
  | "TestsTooSlow";

const passing: ReadonlySet<string> = new Set<PolicyCompileErrorCode>([
  "Compiling",
  "CompilerFailed",
  "BundlePending",
  "BundleFailed",
]);

/** Whether that says nothing about the policy, and will pass by itself. */
export function isTransient(code: string): boolean {
  return passing.has(code);
}

/** Whether a policy that is refused with this code compiles, but for its tests. */
export function isAboutTests(code: string): boolean {
  return code === "TestsFailed" || code === "TestsTooSlow";
}

/**
 * Thrown when a ShieldPolicy cannot be compiled. The API server's schema refuses most of these at apply; they
 * are met again here because a policy file checked offline, or one stored before a rule existed, has not
 * passed it.
 */
export class PolicyCompileError extends Error {
  readonly code: PolicyCompileErrorCode;
  /** Where in the object, for example `spec.podSecurity.version`. */
  readonly path: string;

  constructor(code: PolicyCompileErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.name = "PolicyCompileError";
    this.code = code;
    this.path = path;
  }
}
