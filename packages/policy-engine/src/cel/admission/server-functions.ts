/**
 * What a policy calls that the API server does not take. In a new expression a server takes what the version before it
 * knew, so that it can be rolled back (DefaultCompatibilityVersion in apiserver pkg/cel/environment/base.go).
 *
 * Mutations are not looked at: who serves MutatingAdmissionPolicy (1.36) has all that expressions may call here.
 */
import { effectiveFailurePolicy, type ShieldPolicySpec } from "@shieldx/crds";
import { compileCelRules } from "./compile.ts";
import { CelRulesError } from "./errors.ts";
import { type NewestFunction, newestFunction, newestMinor } from "./newest-function.ts";

/** A function of a policy that the server lacks. */
export interface MissingFunction extends NewestFunction {
  /** The expression that calls it: `spec.validations[0].expression`. */
  readonly path: string;
}

/** Of each spec what came last of all its expressions call; specs do not change. */
const known = new WeakMap<ShieldPolicySpec, MissingFunction | undefined>();

/**
 * Undefined where the server takes all of it, and where that cannot be told, as an expression is wrong or calls what is
 * newer than what we know: the server then says so itself.
 */
export function missingOnServer(spec: ShieldPolicySpec, serverMinor: number): MissingFunction | undefined {
  if (spec.engine !== "cel" || serverMinor > newestMinor) return undefined;
  if (!known.has(spec)) known.set(spec, newestOf(spec));
  const newest = known.get(spec);
  return newest === undefined || newest.minor < serverMinor ? undefined : newest;
}

/** For people: which expression, which function, and since when there is what. */
export function describeMissing({ path, name, minor }: MissingFunction, serverMinor: number): string {
  return `${path} calls ${name}, which came with Kubernetes 1.${minor} and which API servers take in policies from 1.${minor + 1} on; this one is 1.${serverMinor}`;
}

const silent = { begin: () => {}, saw: () => {} };

function newestOf(spec: ShieldPolicySpec): MissingFunction | undefined {
  let newest: MissingFunction | undefined;
  try {
    compileCelRules({ ...spec, failurePolicy: effectiveFailurePolicy(spec) }, (path, checked) => {
      const found = newestFunction(checked);
      if (found !== undefined && found.minor > (newest?.minor ?? 0)) newest = { ...found, path };
      return silent;
    });
  } catch (error) {
    if (!(error instanceof CelRulesError)) throw error;
    return undefined;
  }
  return newest;
}
