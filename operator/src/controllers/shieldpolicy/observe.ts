import {
  MutatingWebhookConfiguration,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import {
  BUNDLE_FAILED,
  CA_SECRET,
  FAIL_CONFIGURATION,
  fitsWebhook,
  IGNORE_CONFIGURATION,
  type KeptPolicy,
  MUTATIONS_CONFIGURATION,
  mayRefuse,
  NOT_SERVED,
  type Staging,
  stagingOf,
  type WebhookCalls,
  webhookCallsFor,
} from "@shieldx/crds";
import { isPolicyProblem, isTransient } from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import type { Member } from "../../digest-history.ts";
import { standingFor } from "../../exception-standing.ts";
import { asPolicy, type ShieldExceptionObject, type ShieldPolicyObject } from "../../kinds.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { MUTATIONS_SUBJECT, WEBHOOK_SUBJECTS } from "../../obstacles.ts";
import { memberOf } from "../../policy-world.ts";
import { readBundle } from "../certificates/bundle-entry.ts";
import { isPublished, type PublishedConfiguration } from "../webhook-configuration/decide.ts";
import {
  areMutationsPublished,
  mutatingPolicyOf,
  type PublishedMutations,
} from "../webhook-configuration/decide-mutations.ts";
import { webhookPolicyOf } from "../webhook-configuration/observe.ts";
import { type CompileProblem, type Enforcer, enforcerOf, type WebhookState } from "./decide.ts";
import { cachedMutating, type MutatingCached } from "./mutating-apply.ts";

/** Everything the reconciler looks at, read from the caches in one go. */
export interface PolicyObservation {
  readonly policy: ShieldPolicyObject;
  readonly problem: CompileProblem | undefined;
  readonly enforcer: { readonly by: Enforcer; readonly reason: string };
  readonly mutating: MutatingCached;
  /** Of the version that replicas have to hold. */
  readonly webhook: WebhookState;
  /** Set where the newest version is not in force everywhere. */
  readonly staging: Staging | undefined;
  readonly version: PolicyVersion;
  readonly honoured: readonly ShieldExceptionObject[];
  readonly exceptions: { readonly active: number; readonly expired: number };
  /** When the next honoured exception ends, ms since the epoch. */
  readonly nextExpiryMs: number | undefined;
}

/** A version of a policy that replicas have to hold: the newest, or the last that compiled. */
export interface PolicyVersion {
  readonly member: Member;
  /** Empty where the webhook is not called for it. */
  readonly calls: readonly WebhookCalls[];
}

export function observePolicy(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  now: number,
): PolicyObservation {
  const exceptions = observeExceptions(operator, context, policy, now);
  return {
    policy,
    enforcer: enforcerOfPolicy(policy, operator),
    staging: stagingOf(asPolicy(policy)),
    mutating: cachedMutating(operator, context, policy.metadata.name),
    ...observeVersion(operator, context, policy, exceptions.honoured, now),
    ...exceptions,
  };
}

/** Which version replicas have to hold, and how the webhook stands towards it. */
export function observeVersion(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  honoured: readonly ShieldExceptionObject[],
  now: number,
): Pick<PolicyObservation, "problem" | "webhook" | "version"> {
  const problem = compileProblemOf(operator, policy.metadata.name);
  const newest = {
    member: memberOf(policy),
    calls: webhookCallsFor(asPolicy(policy)),
  };
  const isPassing = problem !== undefined && isTransient(problem.code);
  // What we have not compiled yet, replicas may hold as it is; what does not compile they can only keep.
  const isHeld = isPassing && operator.world.loadedBy(operator.world.liveReplicas(now), [newest.member]) > 0;
  const older = problem === undefined || isHeld ? undefined : lastGood(operator, policy, now);
  const version = older ?? newest;
  const outdatedHere = operator.world.outdatedBundle(policy);
  const isBroken = problem !== undefined && (older !== undefined || !isPassing);
  return {
    problem: isPassing ? { ...problem, meanwhile: older === undefined ? "newest" : "older" } : problem,
    webhook: observeWebhook(operator, context, version, isBroken, honoured, outdatedHere, now),
    version,
  };
}

/** As {@link enforcerOf}; stages are kept by the webhook, whoever evaluates the policy in the end. */
export function enforcerOfPolicy(
  policy: ShieldPolicyObject,
  operator: OperatorContext,
): PolicyObservation["enforcer"] {
  const whole = asPolicy(policy);
  const staging = stagingOf(whole);
  if (staging === undefined) return suspendable(enforcerOf(whole.spec, operator), policy, operator);
  return { by: "Webhook", reason: `its rollout is in step ${staging.step}, and the webhook keeps stages` };
}

/**
 * What is rendered for the API server knows no time: while a ShieldBreakGlass is open the webhook judges, which does. It makes
 * the mutations as well, for both halves of a policy have one enforcer.
 */
function suspendable(
  enforcer: PolicyObservation["enforcer"],
  policy: ShieldPolicyObject,
  { breakGlasses }: OperatorContext,
): PolicyObservation["enforcer"] {
  const { spec } = asPolicy(policy);
  if (enforcer.by !== "Native" || !mayRefuse(spec) || !fitsWebhook(spec)) return enforcer;
  const glass = breakGlasses.openFor(policy.metadata.name);
  if (glass === undefined) return enforcer;
  const { name } = glass.metadata;
  return {
    by: "Webhook",
    reason: `ShieldBreakGlass "${name}" is open until ${glass.spec.expiresAt}, and the webhook ends that in time`,
  };
}

/** The newest version that live replicas keep of a policy that no longer compiles, or the one kept here; undefined without. */
function lastGood(
  { world }: OperatorContext,
  policy: ShieldPolicyObject,
  now: number,
): PolicyVersion | undefined {
  const { name, uid } = policy.metadata;
  const ofThis = (each: KeptPolicy): boolean => each.name === name && each.uid === uid;
  const [newest = world.current().kept.find(ofThis)] = world
    .keptBy(world.liveReplicas(now))
    .filter(ofThis)
    .sort((a, b) => b.generation - a.generation);
  return newest && { member: newest, calls: newest.calls === undefined ? [] : [newest.calls] };
}

export function compileProblemOf(operator: OperatorContext, name: string): CompileProblem | undefined {
  const problem = operator.world
    .current()
    .problems.find((candidate) => isPolicyProblem(candidate) && candidate.name === name);
  if (problem === undefined) return undefined;
  const { code, path, message } = problem.error;
  return { code, path, message };
}

/** What a replica reports of policies by which it judges all the same. */
const inForceAnyway: ReadonlySet<string> = new Set([BUNDLE_FAILED, NOT_SERVED]);

function observeWebhook(
  operator: OperatorContext,
  context: ReconcileContext,
  { member, calls }: PolicyVersion,
  isBroken: boolean,
  honoured: readonly ShieldExceptionObject[],
  outdatedHere: string | undefined,
  now: number,
): WebhookState {
  const live = operator.world.liveReplicas(now);
  const members = [member, ...honoured.map(memberOf)];
  const configurationFor = ({ failurePolicy }: WebhookCalls) => {
    const name = failurePolicy === "Fail" ? FAIL_CONFIGURATION : IGNORE_CONFIGURATION;
    return context.get(ValidatingWebhookConfiguration, { name }) as PublishedConfiguration | undefined;
  };
  const mutating = calls.flatMap((each) => mutatingPolicyOf(member.name, each, true) ?? []);
  const mutations = context.get(MutatingWebhookConfiguration, { name: MUTATIONS_CONFIGURATION }) as
    | PublishedMutations
    | undefined;
  const subjects = mutating.length === 0 ? WEBHOOK_SUBJECTS : [...WEBHOOK_SUBJECTS, MUTATIONS_SUBJECT];
  return {
    replicas: live.length,
    loaded: isBroken ? operator.world.countKeeping(live, member) : operator.world.loadedBy(live, members),
    isPublished:
      calls.length > 0 &&
      calls.every(
        (each) =>
          each.validates === false ||
          isPublished(
            webhookPolicyOf(member.name, each, true),
            configurationFor(each),
            operator.ownNamespaces,
          ),
      ) &&
      mutating.every((each) => areMutationsPublished(each, mutations, operator.ownNamespaces)),
    cannotJudge: live
      .flatMap(({ problems }) => problems)
      .find(({ policy, reason }) => calls.length > 0 && policy === member.name && !inForceAnyway.has(reason)),
    notServed: live
      .flatMap(({ problems }) => problems)
      .find(({ policy, reason }) => policy === member.name && reason === NOT_SERVED)?.message,
    outdatedBundle:
      live
        .flatMap(({ problems }) => problems)
        .find(({ policy, reason }) => policy === member.name && reason === BUNDLE_FAILED)?.message ??
      outdatedHere,
    obstruction: subjects
      .map((subject) => operator.obstacles.get(subject))
      .find((refusal) => refusal !== undefined),
    hasCertificate:
      readBundle(context.get(Secret, { name: CA_SECRET, namespace: operator.namespace })) !== undefined,
  };
}

/** What counts for the policy of the exceptions that name it. */
export function observeExceptions(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  now: number,
): Pick<PolicyObservation, "honoured" | "exceptions" | "nextExpiryMs"> {
  const compiled = operator.world.current().policy(policy.metadata.name);
  const naming = operator.world.exceptionsOf(policy.metadata.name);
  const honoured: ShieldExceptionObject[] = [];
  let expired = 0;
  let nextExpiryMs: number | undefined;
  for (const exception of naming) {
    if (!(now < Date.parse(exception.spec.expiresAt))) {
      expired++;
      continue;
    }
    if (compiled === undefined) continue;
    const labels = namespaceLabels(context, exception.metadata.namespace ?? "default");
    const standing = standingFor(compiled, exception, now, labels);
    if (!standing.honoured) continue;
    honoured.push(exception);
    nextExpiryMs = Math.min(nextExpiryMs ?? Number.POSITIVE_INFINITY, standing.until);
  }
  return { honoured, exceptions: { active: honoured.length, expired }, nextExpiryMs };
}
