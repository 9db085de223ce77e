import {
  inWebhook,
  isJudgedByStatus,
  isJudgedByWebhook,
  judgesSoFar,
  type KeptPolicy,
  namespaceOfPolicy,
  rolloutDigest,
  type ShieldException,
  type ShieldPolicy,
  type Staging,
  shieldPolicySchema,
  stagingKey,
  stagingOf,
  webhookCallsFor,
} from "@shieldx/crds";
import { byCodePoint } from "../pod-security/check.ts";
import { passingTestsRequired } from "../policy-tests/require.ts";
import type { RegoProgram } from "../rego/program/index.ts";
import { type CompiledPolicy, type CompileEnvironment, compilePolicy } from "./compile.ts";
import type { PolicySetMember } from "./digest.ts";
import { PolicyCompileError } from "./errors.ts";
import { type CompiledException, compileException } from "./exceptions.ts";
import { isPolicyProblem, PolicySet, type PolicySetProblem } from "./policy-set.ts";
import { tooManyPolicies } from "./tenants/bound.ts";
import { atOnce, type Turns } from "./timing.ts";

export interface PolicySetInput extends CompileEnvironment {
  /** Those of tenants, too, as ShieldPolicies called `namespace/name`. */
  readonly policies: readonly ShieldPolicy[];
  /** Of tenants, what is not taken in: see `withinBound`. */
  readonly beyond?: readonly ShieldPolicy[] | undefined;
  readonly exceptions: readonly ShieldException[];
  /** The set in force. What has not changed is taken over; a policy that no longer compiles keeps the version it has there. */
  readonly previous?: PolicySet | undefined;
  /** What was compiled ahead (prepare.ts), from the same policies in the same environment; the rest is compiled at once. */
  readonly prepared?: PreparedPolicies | undefined;
  /** Namespaces left alone besides kube-system and kube-node-lease: those of this installation. */
  readonly neverJudged?: readonly string[] | undefined;
}

/**
 * Compiles everything into a new set. Never throws for a broken policy or exception: it is listed in
 * `problems`, and a policy keeps its last good version when `previous` has one of the same uid.
 */
export function buildPolicySet(input: PolicySetInput): PolicySet {
  const problems: PolicySetProblem[] = [];
  const policies: CompiledPolicy[] = [];
  for (const policy of sortedByName(input.policies)) {
    const compiled = compileOrKeep(policy, input, problems);
    if (compiled !== undefined) policies.push(compiled);
  }
  for (const policy of input.beyond ?? []) problems.push(beyondBound(policy));
  const exceptions: CompiledException[] = [];
  const exceptionMembers = [];
  for (const exception of sortedByName(input.exceptions)) {
    const { metadata } = exception;
    const name = `${metadata.namespace ?? "default"}/${metadata.name}`;
    try {
      exceptions.push(compileException(exception));
      exceptionMembers.push({ name, uid: metadata.uid ?? "", generation: metadata.generation ?? 0 });
    } catch (error) {
      problems.push({
        kind: "ShieldException",
        name,
        uid: metadata.uid ?? "",
        generation: metadata.generation ?? 0,
        error: asCompileError(error),
        keepsLastGood: false,
      });
    }
  }
  const broken = new Set(problems.filter(isPolicyProblem).map(({ name }) => name));
  const policyMembers = policies.filter(({ name }) => !broken.has(name)).map(memberOf);
  const members = [...policyMembers, ...exceptionMembers];
  const kept = policies.filter(({ name }) => broken.has(name)).map(keptPolicyOf);
  const { serverMinor, neverJudged } = input;
  return new PolicySet({ policies, exceptions, members, kept, problems, serverMinor, neverJudged });
}

function memberOf({ name, uid, generation, source }: CompiledPolicy): PolicySetMember {
  return { name, uid, generation, isJudgedByStatus: isJudgedByStatus(source) ? true : undefined };
}

/** Of a policy that is going in by stages, the calls of the version before: what is new must not be in the way. */
function keptPolicyOf(policy: CompiledPolicy): KeptPolicy {
  const calls = webhookCallsFor(policy.source).at(-1);
  return { ...memberOf(policy), ...(calls === undefined ? {} : { calls }) };
}

function compileOrKeep(
  policy: ShieldPolicy,
  input: PolicySetInput,
  problems: PolicySetProblem[],
): CompiledPolicy | undefined {
  const { name, uid = "", generation = 0 } = policy.metadata;
  const previous = lastOf(policy, input);
  if (previous !== undefined && isUnchanged(previous, policy, input)) return previous;
  const prepared = input.prepared?.get(policy) ?? atOnce(preparation(policy, input));
  if (prepared.error === undefined) return standingIn(prepared.compiled, previous);
  const { error, program } = prepared;
  const keepsLastGood = previous !== undefined;
  problems.push({ kind: kindOf(name), name, uid, generation, error, keepsLastGood, program });
  return previous;
}

/**
 * Of a version that the API server is to evaluate, and that cannot be judged by here until it does: the version before goes on
 * in its place, for whichever of the calls are made.
 */
function standingIn(compiled: CompiledPolicy, before: CompiledPolicy | undefined): CompiledPolicy {
  if (compiled.notJudged === undefined) return compiled;
  if (before?.isEvaluatedHere !== true || before.notJudged !== undefined) return compiled;
  const { uid, generation, source, background, exceptions } = compiled;
  return { ...before, uid, generation, source, background, exceptions, calledBy: "either" };
}

function kindOf(policy: string): "ShieldPolicy" | "NamespacedShieldPolicy" {
  return namespaceOfPolicy(policy) === undefined ? "ShieldPolicy" : "NamespacedShieldPolicy";
}

function beyondBound({ metadata: { name, uid = "", generation = 0 } }: ShieldPolicy): PolicySetProblem {
  const error = tooManyPolicies(namespaceOfPolicy(name) ?? "");
  return { kind: kindOf(name), name, uid, generation, error, keepsLastGood: false };
}

/** What came of compiling a policy. */
export type Prepared =
  | { readonly compiled: CompiledPolicy; readonly error?: undefined }
  | {
      readonly compiled?: undefined;
      readonly error: PolicyCompileError;
      /** Of a policy in Rego that compiles, and is refused all the same. */
      readonly program?: RegoProgram | undefined;
    };

/** By the object that the policy was compiled from. */
export type PreparedPolicies = ReadonlyMap<ShieldPolicy, Prepared>;

export function* preparation(policy: ShieldPolicy, input: PolicySetInput): Turns<Prepared> {
  let compiled: CompiledPolicy | undefined;
  try {
    compiled = compilePolicy(policy, input);
    checkSchema(policy);
    yield* requirePassingTestsOnce(compiled, input);
    return { compiled: staged(compiled, policy, input) };
  } catch (error) {
    return { error: asCompileError(error), program: compiled?.program };
  }
}

/** With the stage it is kept to, and the version before. */
function staged(compiled: CompiledPolicy, policy: ShieldPolicy, input: PolicySetInput): CompiledPolicy {
  const staging = input.keepsStages === true ? stagingOf(policy) : undefined;
  if (staging === undefined) return compiled;
  const { digest, turn, percent } = staging;
  return { ...compiled, stage: { digest, turn, percent, inForce: versionBefore(policy, staging, input) } };
}

/**
 * The version that acts where the newest does not. Where the status does not speak of the newest yet, it is what was in
 * force here until now.
 */
function versionBefore(
  policy: ShieldPolicy,
  { inForce, isTold }: Staging,
  input: PolicySetInput,
): CompiledPolicy | undefined {
  const last = lastOf(policy, input);
  const known = last && (last.stage === undefined ? last : last.stage.inForce);
  if (known === undefined) return inForce && compileBefore(policy, inForce.spec, input);
  const { spec } = known.source;
  if (inForce === undefined && isTold) return undefined;
  if (inForce !== undefined && rolloutDigest(spec) !== inForce.digest)
    return compileBefore(policy, inForce.spec, input);
  // The API server may have evaluated it until now.
  return known.isEvaluatedHere ? known : compileBefore(policy, spec, input);
}

/** undefined where it cannot be evaluated here: then it stays with whoever evaluated it so far. */
function compileBefore(
  policy: ShieldPolicy,
  spec: ShieldPolicy["spec"],
  environment: CompileEnvironment,
): CompiledPolicy | undefined {
  try {
    const { rollout: _rollout, ...whole } = inWebhook(spec);
    return compilePolicy({ ...policy, spec: whole }, { ...environment, keepsStages: false });
  } catch (error) {
    if (error instanceof PolicyCompileError) return undefined;
    throw error;
  }
}

/** Whether nothing of it is to be compiled: one exception written must not have a thousand policies checked again. */
export function isTakenOver(policy: ShieldPolicy, input: PolicySetInput): boolean {
  const previous = lastOf(policy, input);
  return previous !== undefined && isUnchanged(previous, policy, input);
}

/** The version of the same object in the set before. */
function lastOf({ metadata }: ShieldPolicy, input: PolicySetInput): CompiledPolicy | undefined {
  const previous = input.previous?.policy(metadata.name);
  return previous?.uid === (metadata.uid ?? "") ? previous : undefined;
}

function isUnchanged(last: CompiledPolicy, policy: ShieldPolicy, input: PolicySetInput): boolean {
  return (
    last.generation === (policy.metadata.generation ?? 0) &&
    isSameForWebhook(last, policy) &&
    hasSameProgram(last, policy, input) &&
    input.previous?.serverMinor === input.serverMinor
  );
}

/** A bundle brings another program; while there is none, the one there is stays. */
function hasSameProgram(last: CompiledPolicy, { spec }: ShieldPolicy, { rego }: PolicySetInput): boolean {
  if (spec.rego?.bundle === undefined || rego === undefined) return true;
  const state = rego(spec);
  return state.kind !== "ready" || state.program === last.program;
}

/** Tests that failed fail again, and must not be run again for each object somebody else changes. */
function* requirePassingTestsOnce(compiled: CompiledPolicy, input: PolicySetInput): Turns<void> {
  const { name, uid, generation } = compiled;
  const before =
    input.previous?.serverMinor === input.serverMinor
      ? input.previous.problems.find(
          (problem) =>
            problem.error.code === "TestsFailed" &&
            problem.program === compiled.program &&
            problem.name === name &&
            problem.uid === uid &&
            problem.generation === generation,
        )
      : undefined;
  if (before !== undefined) throw before.error;
  yield* passingTestsRequired(compiled, input);
}

/** Who acts so far, and where, changes without a new generation, and with it who judges. */
function isSameForWebhook({ source }: CompiledPolicy, policy: ShieldPolicy): boolean {
  const { spec, status } = policy;
  return (
    isJudgedByWebhook(source.spec, judgesSoFar(source.status)) ===
      isJudgedByWebhook(spec, judgesSoFar(status)) && stagingKey(source) === stagingKey(policy)
  );
}

/** What admission would have said: a policy may be older than a rule of its kind, or written while none was checked. */
function checkSchema(policy: ShieldPolicy): void {
  const isOfTenant = namespaceOfPolicy(policy.metadata.name) !== undefined;
  const { error } = isOfTenant
    ? shieldPolicySchema.shape.spec.safeParse(policy.spec)
    : shieldPolicySchema.safeParse(policy);
  if (error === undefined) return;
  const [first, ...more] = error.issues;
  const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
  const path = [...(isOfTenant ? ["spec"] : []), ...(first?.path ?? []).map(String)].join(".");
  throw new PolicyCompileError("Invalid", path, `${first?.message ?? "does not match the schema"}${rest}`);
}

function asCompileError(error: unknown): PolicyCompileError {
  if (error instanceof PolicyCompileError) return error;
  return new PolicyCompileError("Invalid", "spec", `cannot be compiled: ${String(error)}`, { cause: error });
}

function sortedByName<
  T extends { readonly metadata: { readonly name: string; readonly namespace?: string } },
>(objects: readonly T[]): T[] {
  const key = ({ metadata }: T) => `${metadata.namespace ?? ""}/${metadata.name}`;
  return [...objects].sort((a, b) => byCodePoint(key(a), key(b)));
}
