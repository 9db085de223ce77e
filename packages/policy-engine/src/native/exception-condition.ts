import { coversEverything, type ShieldException } from "@shieldx/crds";
import { byCodePoint } from "../pod-security/check.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { compileException, type ExceptionTerms, standingOf } from "../policy-set/exceptions.ts";
import type { Labels } from "../policy-set/selector.ts";
import { celAll, celAny, celList, celString } from "./cel-text.ts";
import { selectorCondition } from "./selector-condition.ts";

export interface FoldedExceptions {
  /** True for requests no exception covers; undefined when there is no exception to fold. */
  readonly expression: string | undefined;
  /** Keys of the exceptions in the expression. */
  readonly folded: readonly string[];
  /** Keys of exceptions that hold and did not fit, newest first to go. */
  readonly leftOut: readonly string[];
  /** When the first folded exception ends, in milliseconds since the epoch: the policy must be rendered anew then. */
  readonly nextExpiryAt: number | undefined;
}

/** In a request about a Namespace `request.namespace` is its own name; but it is in none. */
const isNamespace = "(request.resource.group == '' && request.resource.resource == 'namespaces')";

/** Half of what the API server's CEL parser takes; beyond that further exceptions are left out. */
const maxExpressionLength = 50_000;

/**
 * Folds the exceptions a policy honours at `now` into one matchCondition.
 *
 * A ValidatingAdmissionPolicy has no clock, but the API server stamps an object with its creation time before
 * validating admission: on CREATE that time is compared with the expiry, so that creations end with the
 * exception even while no operator is there to render the policy anew. Other operations end when it does.
 */
export function foldExceptions(
  terms: ExceptionTerms,
  exceptions: readonly ShieldException[],
  now: number,
  namespaceLabels: (namespace: string) => Labels | undefined,
  { hasCreationTime = true }: { readonly hasCreationTime?: boolean } = {},
): FoldedExceptions {
  const conditions: string[] = [];
  const folded: string[] = [];
  const leftOut: string[] = [];
  let length = 0;
  let nextExpiryAt: number | undefined;
  for (const exception of oldestFirst(exceptions)) {
    const until = honouredUntil(terms, exception, now, namespaceLabels);
    if (until === undefined) continue;
    const condition = conditionOf(exception, hasCreationTime ? until : undefined);
    if (length + condition.length > maxExpressionLength) {
      leftOut.push(keyOf(exception));
      continue;
    }
    length += condition.length;
    conditions.push(condition);
    folded.push(keyOf(exception));
    nextExpiryAt = Math.min(until, nextExpiryAt ?? until);
  }
  const expression =
    conditions.length === 0
      ? undefined
      : `${isNamespace} || ![object == null ? oldObject : object].exists(o, ${celAny(conditions)})`;
  return { expression, folded, leftOut, nextExpiryAt };
}

/** When an exception ends that counts for this policy; undefined when it does not. */
function honouredUntil(
  terms: ExceptionTerms,
  exception: ShieldException,
  now: number,
  namespaceLabels: (namespace: string) => Labels | undefined,
): number | undefined {
  // Checks are those of the Pod Security Standards; an exception limited to some has nothing to say here.
  if (exception.spec.checks !== undefined || coversEverything(exception.spec.match)) return undefined;
  try {
    const compiled = compileException(exception);
    const standing = standingOf(terms, compiled, now, namespaceLabels(compiled.namespace));
    return standing.honoured ? standing.until : undefined;
  } catch (error) {
    if (error instanceof PolicyCompileError) return undefined;
    throw error;
  }
}

/** `until` undefined: whoever renders the policy anew ends the exception, for the object cannot say when it was created. */
function conditionOf(exception: ShieldException, until: number | undefined): string {
  const { kinds = [], names = [], objectSelector } = exception.spec.match;
  const conditions = [
    `has(request.namespace) && request.namespace == ${celString(exception.metadata.namespace ?? "default")}`,
  ];
  if (kinds.length > 0) conditions.push(`request.kind.kind in ${celList(kinds)}`);
  if (names.length > 0)
    conditions.push(`has(o.metadata) && has(o.metadata.name) && (${nameCondition(names)})`);
  const labels = selectorCondition(objectSelector, "o");
  if (labels !== "true") conditions.push(`has(o.metadata) && ${labels}`);
  if (until === undefined) return celAll(conditions);
  const end = celString(new Date(until).toISOString());
  conditions.push(
    "request.operation != 'CREATE' || (has(object.metadata) && has(object.metadata.creationTimestamp) && " +
      `timestamp(object.metadata.creationTimestamp) < timestamp(${end}))`,
  );
  return celAll(conditions);
}

function nameCondition(patterns: readonly string[]): string {
  const exact = patterns.filter((pattern) => !pattern.endsWith("*"));
  const beginnings = patterns
    .filter((pattern) => pattern.endsWith("*"))
    .map((pattern) => pattern.slice(0, -1));
  return celAny([
    ...(exact.length === 0 ? [] : [`o.metadata.name in ${celList(exact)}`]),
    ...beginnings.map((beginning) => `o.metadata.name.startsWith(${celString(beginning)})`),
  ]);
}

function keyOf({ metadata }: ShieldException): string {
  return `${metadata.namespace ?? "default"}/${metadata.name}`;
}

/** So that a flood of new exceptions pushes out none that already holds. */
function oldestFirst(exceptions: readonly ShieldException[]): ShieldException[] {
  const age = ({ metadata }: ShieldException) => metadata.creationTimestamp ?? "";
  return [...exceptions].sort((a, b) => byCodePoint(age(a), age(b)) || byCodePoint(keyOf(a), keyOf(b)));
}
