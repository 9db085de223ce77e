import {
  type ExceptionApproval,
  exceptionSpecDigest,
  InvalidObjectError,
  parseShieldException,
} from "@shieldx/crds";
import {
  clusterScopedKinds,
  compileException,
  type Labels,
  PolicyCompileError,
  type PolicySet,
  standingOf,
} from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";

export interface ExceptionFacts {
  readonly policySet: PolicySet | undefined;
  readonly namespaceLabels: Labels | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What the schema cannot say of a ShieldException: its end against the clock, and whether its policies honour it. */
export function judgeException(request: AdmissionRequest, facts: ExceptionFacts): AdmissionAnswer {
  try {
    const exception = parseShieldException(request.object, { unknownFields: "drop" });
    const compiled = compileException({
      ...exception,
      metadata: { ...exception.metadata, namespace: request.namespace ?? "default" },
    });
    const isOver = !(facts.now < compiled.expiresAt);
    if (isOver && request.operation === "CREATE") {
      return invalid(`spec.expiresAt: ${exception.spec.expiresAt} has passed: choose a later time`);
    }
    if (isOver)
      return { allowed: true, warnings: ["spec.expiresAt has passed: this ends the exception at once"] };
    const problems: string[] = [];
    const { kinds = [] } = exception.spec.match;
    const uncovered = kinds.filter((kind) => clusterScopedKinds.has(kind));
    const warnings: string[] =
      uncovered.length === 0
        ? []
        : [`spec.match.kinds: ${uncovered.join(", ")}: what is in no namespace is not covered`];
    for (const [index, name] of exception.spec.policies.entries()) {
      const policy = facts.policySet?.policy(name);
      if (policy === undefined) {
        warnings.push(
          `spec.policies[${index}]: there is no ShieldPolicy "${name}" in force; the exception has no effect on it`,
        );
        continue;
      }
      const standing = standingOf(policy.exceptions, compiled, facts.now, facts.namespaceLabels);
      if (standing.honoured) continue;
      const field = fieldOf[standing.code] ?? `spec.policies[${index}]`;
      problems.push(`${field}: ${standing.message}`);
    }
    if (problems.length > 0) return invalid(problems.join("; "));
    return warnings.length === 0 ? { allowed: true } : { allowed: true, warnings };
  } catch (error) {
    if (error instanceof InvalidObjectError || error instanceof PolicyCompileError)
      return invalid(error.message);
    throw error;
  }
}

/** What to correct, where that is not the entry of `spec.policies`. */
const fieldOf: { readonly [code: string]: string | undefined } = {
  TooLong: "spec.expiresAt",
  CoversEverything: "spec.match",
  ClusterScoped: "spec.match.kinds",
};

/** Whose request makes the exception what it is, unless another webhook refuses it; undefined where it is only tried, or the API server does not say. */
export function approvalIn({ object, userInfo, dryRun }: AdmissionRequest): ExceptionApproval | undefined {
  if (dryRun === true) return undefined;
  const { metadata, spec } = object as {
    metadata?: { uid?: unknown; generation?: unknown };
    spec?: unknown;
  };
  const { uid, generation } = metadata ?? {};
  const { username } = userInfo;
  if (typeof uid !== "string" || typeof generation !== "number" || !username) return undefined;
  return { uid, generation, user: username, specDigest: exceptionSpecDigest(spec) };
}

/** A refusal in the API server's own terms for an object that is not valid. */
export function invalid(message: string): AdmissionAnswer {
  return { allowed: false, status: { code: 422, reason: "Invalid", message } };
}
