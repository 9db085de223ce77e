import {
  type ControllerDefinition,
  defineController,
  generationChanged,
  type KubeObject,
  Lease,
  labelsChanged,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  type ObjectKey,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import { breaksPolicy, FAIL_CONFIGURATION, fitsWebhook, IGNORE_CONFIGURATION } from "@shieldx/crds";
import { lookAgain, type OperatorContext, sooner, untilMoment } from "../../context.ts";
import {
  asPolicy,
  ShieldBreakGlassType,
  ShieldExceptionType,
  type ShieldPolicyObject,
  ShieldPolicyType,
} from "../../kinds.ts";
import { FIELD_MANAGER, policyOfNative } from "../../names.ts";
import { auditSubject, REPORTS_SUBJECT } from "../../obstacles.ts";
import { OwnedObjects } from "../../owned-object.ts";
import { keepStatus } from "../../status.ts";
import { caSecret, OURS, replicaLeases } from "../../watched.ts";
import { announce } from "./announce.ts";
import {
  decideStatus,
  type Enforcer,
  type HandingOver,
  IN_FORCE_NATIVELY,
  type NativeState,
  type Obstruction,
  type StatusObservation,
} from "./decide.ts";
import { HandOvers } from "./hand-over.ts";
import {
  bringMutatingInLine,
  cachedMutating,
  isInstalled,
  type MutatingResult,
  removeMutating,
  together,
  whatIsLeft,
} from "./mutating-apply.ts";
import { observePolicy, type PolicyObservation } from "./observe.ts";
import { replicaChanged } from "./replica-changed.ts";

const OWN_STATUS_FIELDS = [
  "observedGeneration",
  "conditions",
  "enforcedBy",
  "handingOverTo",
  "enforcedByReason",
  "podSecurityVersion",
  "digest",
  "loadedBy",
  "exceptions",
];

/** Keeps each ShieldPolicy enforced as written and says in its status how far that has come. */
export function shieldPolicyController(operator: OperatorContext): ControllerDefinition<ShieldPolicyObject> {
  const enforcedBy = new Map<string, string>();
  const handOvers = new HandOvers();
  const owned = new OwnedObjects(FIELD_MANAGER.policy);
  const allPolicies = (): ObjectKey[] => operator.world.policyNames().map((name) => ({ name }));
  /** By owner and by name: somebody may have taken the owner away. */
  const ofOwner = ({ metadata }: KubeObject): ObjectKey[] => {
    const owners = (metadata.ownerReferences ?? []).filter(({ kind }) => kind === ShieldPolicyType.kind);
    const named = policyOfNative(metadata.name);
    return [...owners.map(({ name }) => name), ...(named === undefined ? [] : [named])].map((name) => ({
      name,
    }));
  };

  /**
   * Brings what is rendered of its mutations in line, and keeps the former enforcer until the one that is wanted has taken
   * over. `validating`: how the half stands that judges.
   */
  async function inLine(
    observed: PolicyObservation,
    context: ReconcileContext,
    validating: NativeState | undefined,
    now: number,
  ): Promise<InLine & Pick<MutatingResult, "requeueAfterMs"> & { readonly native: NativeState | undefined }> {
    const { policy, enforcer, problem } = observed;
    const { name } = policy.metadata;
    if (problem !== undefined) {
      handOvers.forget(name);
      const native = whatIsLeft(validating, observed.mutating);
      return { ...nothingToHandOver, enforcer, native, requeueAfterMs: undefined };
    }
    const bring = async (by: Enforcer) => {
      const { state, requeueAfterMs } = await bringMutatingInLine(
        operator,
        context,
        owned,
        observed,
        by,
        now,
      );
      return { native: together(validating, state), requeueAfterMs };
    };
    if (enforcer.by === "Webhook") {
      const isNativeThere = validating?.isInstalled === true || isInstalled(observed.mutating);
      const kept = keepNativeAwhile(observed, isNativeThere);
      if (kept !== undefined) return { ...kept, ...(await bring("Native")) };
      operator.native.release(name, policy.metadata);
    }
    if (enforcer.by === "Native") operator.native.reclaim(name);
    const brought = await bring(enforcer.by);
    const kept = enforcer.by === "Native" ? keepWebhookAwhile(observed, brought.native) : undefined;
    if (kept !== undefined) return { ...kept, ...brought };
    if (enforcer.by === "Native" && !wasInForce(policy))
      return { ...brought, ...beTakenIn(observed, brought) };
    // A status that does not tell yet, for the cache lags, must not begin it all anew.
    if (policy.status?.enforcedBy === enforcer.by) handOvers.forget(name);
    return { ...nothingToHandOver, enforcer, ...brought };
  }

  /** What is stored is in force only after every API server has read it. */
  function beTakenIn(
    { policy, enforcer }: PolicyObservation,
    { native }: { readonly native: NativeState | undefined },
  ): InLine & { readonly native: NativeState | undefined } {
    const waitMs = waitMsFor(policy, isInPlace(native));
    const isBeingTakenIn = waitMs !== undefined && waitMs > 0;
    return {
      handingOver: undefined,
      waitMs: isBeingTakenIn ? waitMs : undefined,
      enforcer,
      native: native && { ...native, isBeingTakenIn },
    };
  }

  function waitMsFor({ metadata }: ShieldPolicyObject, isInPlace: boolean): number | undefined {
    const version = `${metadata.uid}/${metadata.generation}`;
    return handOvers.remainingMs(metadata.name, version, isInPlace, operator.clock.monotonicNow());
  }

  /** Until the webhook is in place the rendered objects are tended as ever, with the exceptions that count now. */
  function keepNativeAwhile({ policy, webhook }: PolicyObservation, isThere: boolean): InLine | undefined {
    const by = policy.status?.enforcedBy;
    // Once the webhook has taken over, what is still there is on its way out, whatever version was written meanwhile.
    if (by === "Webhook" || (!isThere && by !== "Native")) return undefined;
    const isLoaded = webhook.loaded > 0 && webhook.loaded === webhook.replicas;
    const isInPlace = webhook.isPublished && isLoaded && webhook.cannotJudge === undefined;
    const waitMs = waitMsFor(policy, isInPlace);
    if (waitMs === 0) return undefined;
    const obstruction = webhook.obstruction ?? webhook.cannotJudge;
    const why = obstruction?.message ?? "the webhook takes over once all replicas hold this version";
    return former("Native", why, waitMs, obstruction);
  }

  /** Until the rendered objects are in place the webhook judges by the new version, where it can. */
  function keepWebhookAwhile(
    { policy }: PolicyObservation,
    native: NativeState | undefined,
  ): InLine | undefined {
    if (policy.status?.enforcedBy !== "Webhook" || !fitsWebhook(asPolicy(policy).spec)) return undefined;
    const refusal = native?.refusal;
    const waitMs = waitMsFor(policy, isInPlace(native));
    if (waitMs === 0) return undefined;
    const why =
      refusal === undefined
        ? "the API server takes over once it holds the rendered policy"
        : `the API server does not take the rendered policy: ${refusal.message}`;
    return former("Webhook", why, waitMs, refusal);
  }

  async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<number | undefined> {
    const policy = context.get(ShieldPolicyType, key);
    if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) {
      operator.world.noteLeftOut(key.name, []);
      handOvers.forget(key.name);
      countEnforced(operator, enforcedBy, key.name, undefined);
      operator.obstacles.clear(`status of ShieldPolicy ${key.name}`);
      return removeMutating(operator, context, owned, key.name, cachedMutating(operator, context, key.name));
    }
    // Of a version that was not rendered yet there is nothing to say: this comes back once it was.
    const standing = operator.native.of(key.name, policy.metadata);
    if (standing === undefined) return undefined;
    const now = operator.clock.now();
    const observed = observePolicy(operator, context, policy, now);
    // Its status is of this version already; whoever starts and compiles it anew has nothing else to say.
    if (
      (observed.problem?.code === "Compiling" || observed.problem?.code === "BundlePending") &&
      policy.status?.observedGeneration === policy.metadata.generation
    )
      return undefined;
    const { enforcer, handingOver, waitMs, native, requeueAfterMs } = await inLine(
      observed,
      context,
      standing.state,
      now,
    );
    const status = decideStatus(
      {
        policy: { spec: asPolicy(policy).spec, metadata: { generation: policy.metadata.generation ?? 0 } },
        problem: observed.problem,
        enforcer,
        handingOver,
        native,
        webhook: observed.webhook,
        staging: observed.staging,
        digest: operator.world.digestOf(observed.version.member, policy.status?.digest),
        podSecurityVersion: podSecurityVersionOf(operator, policy),
        exceptions: observed.exceptions,
        audit: operator.obstacles.get(auditSubject(key.name)),
        reports: operator.obstacles.get(REPORTS_SUBJECT),
        previousConditions: policy.status?.conditions,
      },
      now,
    );
    const statusRetryMs = await keepStatus(operator, context, ShieldPolicyType, policy, status, {
      fieldManager: FIELD_MANAGER.policy,
      fields: OWN_STATUS_FIELDS,
    });
    announce(context, policy, status.conditions ?? []);
    const isEnforced = status.conditions?.some(
      ({ type, status: is }) => type === "Enforced" && is === "True",
    );
    countEnforced(operator, enforcedBy, key.name, isEnforced === true ? status.enforcedBy : undefined);
    return sooner(
      waitMs,
      requeueAfterMs,
      statusRetryMs,
      untilMoment(observed.nextExpiryMs, now),
      untilMoment(operator.breakGlasses.nextEndMs(key.name), now),
      status.enforcedBy === "Webhook" || observed.problem !== undefined
        ? operator.world.nextReplicaChangeMs(now)
        : undefined,
    );
  }

  return defineController<ShieldPolicyObject>({
    name: "shieldpolicy",
    for: { type: ShieldPolicyType },
    watches: [
      watch({
        type: ShieldExceptionType,
        predicate: generationChanged,
        map: (exception) => exception.spec.policies.map((name) => ({ name })),
      }),
      watch({
        type: ShieldBreakGlassType,
        map: ({ spec }) => allPolicies().filter(({ name }) => breaksPolicy(spec, name)),
      }),
      watch({
        type: ValidatingWebhookConfiguration,
        map: ({ metadata: { name } }) =>
          name === FAIL_CONFIGURATION || name === IGNORE_CONFIGURATION ? allPolicies() : [],
      }),
      watch({ type: MutatingWebhookConfiguration, ...OURS, map: allPolicies }),
      ...(operator.servesMutatingPolicies
        ? [
            watch({ type: MutatingAdmissionPolicy, ...OURS, map: ofOwner }),
            watch({ type: MutatingAdmissionPolicyBinding, ...OURS, map: ofOwner }),
          ]
        : []),
      watch({
        type: Lease,
        ...replicaLeases(operator.namespace),
        predicate: replicaChanged,
        map: allPolicies,
      }),
      watch({ type: Secret, ...caSecret(operator.namespace), map: allPolicies }),
      watch({
        type: Namespace,
        predicate: labelsChanged,
        map: () => policiesWithExceptionSelector(operator),
      }),
    ],
    sources: [
      (enqueue) => operator.obstacles.onChange(() => allPolicies().forEach(enqueue)),
      (enqueue) => operator.world.onCompiled(() => allPolicies().forEach(enqueue)),
      (enqueue) => operator.native.onChange((policies) => policies.forEach((name) => void enqueue({ name }))),
    ],
    concurrency: 4,
    reconcile: async (key, context) => lookAgain(await reconcile(key, context)),
  });
}

interface InLine {
  readonly enforcer: StatusObservation["enforcer"];
  readonly handingOver: HandingOver | undefined;
  readonly waitMs: number | undefined;
}

const nothingToHandOver = { handingOver: undefined, waitMs: undefined } as const;

/** How often it is looked whether a successor is in place; events mostly come before. */
const LOOK_FOR_SUCCESSOR_MS = 1_000;

function former(
  by: "Native" | "Webhook",
  why: string,
  waitMs: number | undefined,
  obstruction: Obstruction | undefined,
): InLine {
  const reason = obstruction?.reason ?? "HandingOver";
  const message = `handing over: ${why}`;
  return {
    enforcer: { by, reason: message },
    handingOver: { to: by === "Native" ? "Webhook" : "Native", reason, message },
    waitMs: waitMs ?? LOOK_FOR_SUCCESSOR_MS,
  };
}

function isInPlace(native: NativeState | undefined): boolean {
  return native?.isInstalled === true && native.refusal === undefined;
}

/** This version was in force already, by whatever process said so. */
function wasInForce({ metadata, status }: ShieldPolicyObject): boolean {
  return (
    status?.conditions?.some(
      ({ type, reason, observedGeneration }) =>
        type === "Enforced" && reason === IN_FORCE_NATIVELY && observedGeneration === metadata.generation,
    ) === true
  );
}

function policiesWithExceptionSelector(operator: OperatorContext): ObjectKey[] {
  return operator.world
    .current()
    .policies.filter((policy) => policy.exceptions.namespaces?.selector !== undefined)
    .map(({ name }) => ({ name }));
}

function podSecurityVersionOf(operator: OperatorContext, policy: ShieldPolicyObject): string | undefined {
  const compiled = operator.world.current().policy(policy.metadata.name);
  return compiled?.podSecurityMinor === undefined ? undefined : `v1.${compiled.podSecurityMinor}`;
}

function countEnforced(
  operator: OperatorContext,
  enforcedBy: Map<string, string>,
  policy: string,
  by: string | undefined,
): void {
  if (by === undefined) enforcedBy.delete(policy);
  else enforcedBy.set(policy, by);
  for (const enforcer of ["Native", "Webhook"]) {
    const count = [...enforcedBy.values()].filter((value) => value === enforcer).length;
    operator.metrics.policiesEnforced.set({ enforced_by: enforcer }, count);
  }
}
