import {
  BUNDLE_FAILED,
  effectiveBackground,
  fitsWebhook,
  formatLoadedBy,
  isOnlyServed,
  mutates,
  NOT_SERVED,
  type ShieldPolicy,
  type ShieldPolicyStatus,
  type Staging,
} from "@shieldx/crds";
import { describeMissing, isAboutTests, missingOnServer } from "@shieldx/policy-engine";
import { type Aspect, type Conclusion, conditionsOf } from "./conditions.ts";
import { mutatingEnforcer, type ServerFeatures } from "./mutating-enforcer.ts";

/** Who acts on requests under this policy. */
export type Enforcer = "Native" | "Webhook" | "None";

/** Why the policy cannot be enforced as written; `path` points into the object. */
export interface CompileProblem {
  readonly code: string;
  readonly path: string;
  readonly message: string;
  /** Set where it will pass by itself: which version replicas are to hold until then. */
  readonly meanwhile?: "newest" | "older";
}

/** Reason of `Enforced` once every API server evaluates what was rendered. */
export const IN_FORCE_NATIVELY = "AdmissionPolicyInstalled";

/** Exactly one of them acts on requests. */
export function enforcerOf(
  spec: ShieldPolicy["spec"],
  server: ServerFeatures,
): { by: Enforcer; reason: string } {
  if (spec.actions?.admission === "off") {
    return { by: "None", reason: "actions.admission is off: requests are not looked at" };
  }
  switch (spec.engine) {
    case "cel":
      if (spec.evaluation === "Webhook")
        return { by: "Webhook", reason: "evaluation is Webhook: ShieldX evaluates the expressions" };
      if (mutates(spec)) return mutatingEnforcer(spec, server);
      return nativeUnlessLacking(spec, server.serverMinor);
    case "podSecurity":
      return { by: "Webhook", reason: "engine podSecurity is evaluated by the webhook" };
    case "rego":
      return { by: "Webhook", reason: "engine rego is evaluated by the webhook" };
    case "images":
      return { by: "Webhook", reason: "engine images asks registries, which the webhook does" };
    default:
      return spec.engine satisfies never;
  }
}

/** What the server lacks a function for is the webhook's, unless that cannot take it, or the API server is demanded. */
function nativeUnlessLacking(
  spec: ShieldPolicy["spec"],
  serverMinor: number,
): { by: Enforcer; reason: string } {
  const missing = missingOnServer(spec, serverMinor);
  if (missing !== undefined && spec.evaluation !== "Native" && fitsWebhook(spec))
    return {
      by: "Webhook",
      reason: `${describeMissing(missing, serverMinor)}: ShieldX evaluates the expressions`,
    };
  return {
    by: "Native",
    reason: "engine cel is rendered as a ValidatingAdmissionPolicy, which the API server evaluates itself",
  };
}

/** A write that is refused, and what to do about it. */
export interface Obstruction {
  readonly reason: string;
  readonly message: string;
}

/** Who is to follow the enforcer, and what that waits for. */
export interface HandingOver extends Obstruction {
  readonly to: "Native" | "Webhook";
}

/** How the objects of a native policy are on the server after apply. */
export interface NativeState {
  /** Why the API server does not take what we rendered. */
  readonly refusal: Obstruction | undefined;
  /** A ValidatingAdmissionPolicy and binding of ours are on the server, be they current or older. */
  readonly isInstalled: boolean;
  /** Some API server may not have read this version yet, though it is stored. */
  readonly isBeingTakenIn?: boolean;
  /** `status.typeChecking.expressionWarnings`. */
  readonly typeWarnings: readonly { readonly fieldRef: string; readonly warning: string }[];
}

/** How the webhook stands towards this policy. */
export interface WebhookState {
  /** Live replicas. */
  readonly replicas: number;
  /** Those of them that hold this state of the policy (the last that compiled) and of its exceptions. */
  readonly loaded: number;
  /** The webhook configuration on the server makes every call the policy needs. */
  readonly isPublished: boolean;
  readonly hasCertificate: boolean;
  /** Why a replica that holds the policy cannot judge by it: failurePolicy decides there. */
  readonly cannotJudge: Obstruction | undefined;
  /** Why some replica, or the audit, judges by an older bundle than there is. */
  readonly outdatedBundle?: string | undefined;
  /** Why some replica does not serve the policy's rules over HTTP as they are written. */
  readonly notServed?: string | undefined;
  /** What keeps the webhook's configuration or certificates from being kept up to date. */
  readonly obstruction: Obstruction | undefined;
}

export interface StatusObservation {
  readonly policy: Pick<ShieldPolicy, "spec"> & { readonly metadata: { readonly generation: number } };
  readonly problem: CompileProblem | undefined;
  readonly enforcer: { readonly by: Enforcer; readonly reason: string };
  /** Who is to follow whom, and what that waits for, while the enforcer is still the former one. */
  readonly handingOver: HandingOver | undefined;
  readonly native: NativeState | undefined;
  readonly webhook: WebhookState;
  /** Set where the newest version is not in force everywhere. */
  readonly staging?: Staging | undefined;
  /** Whether replicas hold the policy at all (also needed for background only: they do not). */
  readonly digest: string | undefined;
  readonly podSecurityVersion: string | undefined;
  readonly exceptions: { readonly active: number; readonly expired: number };
  /** What keeps existing objects from being held against the policy. */
  readonly audit: Obstruction | undefined;
  /** What keeps reports of existing objects from being written. */
  readonly reports: Obstruction | undefined;
  readonly previousConditions: ShieldPolicyStatus["conditions"];
}

/** The fields of status that the shieldpolicy controller owns; counts and rollout have field managers of their own. */
export type OwnStatus = Omit<ShieldPolicyStatus, "counts" | "worstOffenders" | "rollout">;

export function decideStatus(observed: StatusObservation, now: number): OwnStatus {
  const generation = observed.policy.metadata.generation;
  const conclusion = concludeOn(observed);
  const enforcedBy = observed.problem === undefined ? observed.enforcer.by : inForceAnyway(observed);
  return {
    observedGeneration: generation,
    conditions: conditionsOf(conclusion, observed.previousConditions ?? [], generation, now),
    enforcedBy,
    ...(observed.handingOver === undefined ? {} : { handingOverTo: observed.handingOver.to }),
    enforcedByReason: bounded(
      observed.problem === undefined ? observed.enforcer.reason : describeProblem(observed.problem),
      1024,
    ),
    ...(observed.podSecurityVersion === undefined ? {} : { podSecurityVersion: observed.podSecurityVersion }),
    ...(observed.digest === undefined ? {} : { digest: observed.digest }),
    ...(enforcedBy === "Webhook"
      ? { loadedBy: formatLoadedBy(observed.webhook.loaded, observed.webhook.replicas) }
      : {}),
    exceptions: { active: observed.exceptions.active, expired: observed.exceptions.expired },
  };
}

/** A policy that no longer compiles leaves in force what was rendered before, or what replicas hold. */
function inForceAnyway({ native, webhook }: StatusObservation): Enforcer {
  if (native?.isInstalled === true) return "Native";
  return webhook.isPublished && webhook.loaded > 0 ? "Webhook" : "None";
}

function concludeOn(observed: StatusObservation): Conclusion {
  const { problem } = observed;
  const testsPassed = concludeOnTests(observed);
  const compiled = { isTrue: true, reason: "Compiled", message: "the policy was understood without error" };
  if (problem !== undefined) {
    const { code } = problem;
    return {
      compiled: isAboutTests(code)
        ? compiled
        : { isTrue: false, reason: code, message: describeProblem(problem) },
      testsPassed,
      ...concludeWithoutCompiling(observed),
    };
  }
  return { compiled, testsPassed, ...concludeOnForce(observed) };
}

function concludeOnTests({ policy, problem }: StatusObservation): Aspect {
  const { length = 0 } = policy.spec.tests ?? [];
  if (problem !== undefined && isAboutTests(problem.code))
    return { isTrue: false, reason: problem.code, message: describeProblem(problem) };
  if (length === 0)
    return { isTrue: true, reason: "NoTests", message: "not applicable: the policy has no tests" };
  if (problem !== undefined)
    return { isTrue: false, reason: "TestsNotRun", message: "the policy does not compile: see Compiled" };
  const message = length === 1 ? "its one case passes" : `all ${length} cases pass`;
  return { isTrue: true, reason: "TestsPassed", message };
}

function concludeOnForce(observed: StatusObservation): Omit<Conclusion, "compiled" | "testsPassed"> {
  if (observed.handingOver !== undefined) {
    const { reason, message } = observed.handingOver;
    const { enforced } =
      observed.enforcer.by === "Native" ? concludeNative(observed) : concludeWebhook(observed.webhook);
    return { enforced, degraded: { isTrue: true, reason, message: bounded(message) } };
  }
  switch (observed.enforcer.by) {
    case "None":
      if (observed.policy.spec.actions?.admission !== "off")
        return notEnforced("NoEnforcer", observed.enforcer.reason);
      return {
        enforced: notMeant(observed),
        isOff: true,
        degraded: lessThanWritten(observed) ?? withoutReports(observed),
      };
    case "Native": {
      const { enforced, degraded } = concludeNative(observed);
      return { enforced, degraded: degraded ?? withoutReports(observed) };
    }
    case "Webhook": {
      const { enforced, degraded } = concludeWebhook(observed.webhook);
      if (observed.staging !== undefined && enforced.isTrue) return concludeOnStage(observed.staging);
      return { enforced, degraded: degraded ?? lessThanWritten(observed) ?? withoutReports(observed) };
    }
    default:
      return observed.enforcer.by satisfies never;
  }
}

/** Where it goes in by stages: what acts, and where. */
function concludeOnStage({
  step,
  stage,
  percent,
  inForce,
}: Staging): Pick<Conclusion, "enforced" | "degraded"> {
  const reason = stage === "RolledBack" ? "RolledBack" : "RollingOut";
  const before = inForce === undefined ? "nothing" : "the version before";
  const where =
    percent === 100
      ? "this version acts everywhere, and is watched"
      : percent === 0
        ? `this version acts on nothing, and ${before} is in force`
        : `this version acts in ${percent} % of namespaces, and in the others ${before} is in force`;
  const message = `its rollout is in step ${step}: ${where}; see status.rollout`;
  const isTrue = percent > 0 || inForce !== undefined;
  return { enforced: { isTrue, reason, message }, degraded: { isTrue: true, reason, message } };
}

function concludeWithoutCompiling(observed: StatusObservation): Pick<Conclusion, "enforced" | "degraded"> {
  const { loaded, replicas, isPublished } = observed.webhook;
  const { meanwhile } = observed.problem ?? {};
  if (meanwhile !== undefined) {
    const enforcer = inForceAnyway(observed);
    if (meanwhile === "newest" && enforcer !== "Native") return concludeWebhook(observed.webhook);
    if (enforcer !== "None")
      return olderVersion("the version before stays in force until this one has been compiled");
  }
  const areTests = observed.problem !== undefined && isAboutTests(observed.problem.code);
  const lastGood = areTests ? "the last version that passed its tests" : "the last version that compiled";
  const whatIsWrong = areTests ? "the policy does not pass its tests" : "the policy does not compile";
  switch (inForceAnyway(observed)) {
    case "Native":
      return olderVersion(`${lastGood} stays in force until this one is corrected`);
    case "Webhook":
      return olderVersion(
        loaded === replicas
          ? `${lastGood} stays in force until this one is corrected, in the replicas that run now: one that starts does not have it`
          : `${loaded} of ${replicas} webhook replicas hold ${lastGood}, the others judge nothing by this policy: correct it`,
      );
    default: {
      if (isPublished && replicas === 0) {
        const message = `${whatIsWrong} and no webhook replica is alive; failurePolicy decides on requests until one is, and nothing of this policy is in force then`;
        return notEnforced("NoReplica", message);
      }
      const message = `${whatIsWrong}, so nothing is enforced`;
      return areTests ? notEnforced("TestsNotPassed", message) : notEnforced("NotCompiled", message);
    }
  }
}

function notEnforced(reason: string, message: string): Pick<Conclusion, "enforced" | "degraded"> {
  return { enforced: { isTrue: false, reason, message }, degraded: undefined };
}

function olderVersion(message: string): Pick<Conclusion, "enforced" | "degraded"> {
  return {
    enforced: { isTrue: true, reason: "OlderVersion", message },
    degraded: { isTrue: true, reason: "OlderVersion", message },
  };
}

function lessThanWritten({ webhook }: StatusObservation): Conclusion["degraded"] {
  if (webhook.notServed !== undefined) {
    const message = `its rules are not served over HTTP as they are written: ${webhook.notServed}`;
    return { isTrue: true, reason: NOT_SERVED, message: bounded(oneLine(message)) };
  }
  if (webhook.outdatedBundle === undefined) return undefined;
  const message = `the last good bundle stays in use: ${webhook.outdatedBundle}`;
  return { isTrue: true, reason: BUNDLE_FAILED, message: bounded(oneLine(message)) };
}

function withoutReports({ audit, reports, policy }: StatusObservation): Conclusion["degraded"] {
  if (effectiveBackground(policy.spec) !== "audit") return undefined;
  if (audit !== undefined)
    return {
      isTrue: true,
      reason: audit.reason,
      message: bounded(`requests are judged, existing objects not all: ${audit.message}`),
    };
  if (reports === undefined) return undefined;
  const message = `counts are right and requests are judged, but Reports are not written: ${reports.message}`;
  return { isTrue: true, reason: "ReportsNotWritten", message: bounded(message) };
}

function notMeant(observed: StatusObservation): Conclusion["enforced"] {
  if (isOnlyServed(observed.policy.spec))
    return {
      isTrue: false,
      reason: "ActionOff",
      message: "its rules are served over HTTP, and judge nothing",
    };
  const background = effectiveBackground(observed.policy.spec);
  return {
    isTrue: false,
    reason: "ActionOff",
    message:
      background === "off"
        ? "actions.admission and actions.background are off: the policy does nothing"
        : "actions.admission is off: existing objects are audited, requests are not looked at",
  };
}

function concludeNative({
  native,
  previousConditions,
}: StatusObservation): Pick<Conclusion, "enforced" | "degraded"> {
  if (native?.refusal !== undefined) {
    return {
      enforced: {
        isTrue: native.isInstalled,
        reason: native.isInstalled ? "OlderVersion" : native.refusal.reason,
        message: bounded(`the API server does not take the rendered policy: ${native.refusal.message}`),
      },
      degraded: native.isInstalled
        ? {
            isTrue: true,
            reason: native.refusal.reason,
            message: bounded(
              `the last version the API server took is in force, for it does not take this one: ${native.refusal.message}`,
            ),
          }
        : undefined,
    };
  }
  if (native?.isInstalled !== true) {
    return {
      enforced: {
        isTrue: false,
        reason: "NotInstalled",
        message: "the rendered admission policy and its binding are not on the server yet",
      },
      degraded: undefined,
    };
  }
  if (native.isBeingTakenIn === true) {
    const isTrue =
      previousConditions?.some(({ type, status }) => type === "Enforced" && status === "True") === true;
    const message = "the admission policy is stored; every API server reads it within some seconds";
    const aspect = { reason: "TakingIn", message };
    return {
      enforced: { isTrue, ...aspect },
      degraded: isTrue ? { isTrue, ...aspect } : undefined,
    };
  }
  const enforced = {
    isTrue: true,
    reason: IN_FORCE_NATIVELY,
    message: "the API server evaluates the policy itself",
  };
  if (native.typeWarnings.length === 0) return { enforced, degraded: undefined };
  const text = native.typeWarnings
    .map(({ fieldRef, warning }) => `${fieldRef}: ${oneLine(warning)}`)
    .join("; ");
  return { enforced, degraded: { isTrue: true, reason: "TypeCheckWarnings", message: bounded(text) } };
}

function concludeWebhook(webhook: WebhookState): Pick<Conclusion, "enforced" | "degraded"> {
  const loaded = `${webhook.loaded} of ${webhook.replicas} webhook replicas`;
  const { obstruction } = webhook;
  if (!webhook.isPublished) {
    if (obstruction !== undefined) return notEnforced(obstruction.reason, bounded(obstruction.message));
    if (!webhook.hasCertificate) {
      return notEnforced("WaitingForCertificate", "the webhook's certificate authority does not exist yet");
    }
    if (webhook.loaded === 0) {
      return notEnforced(
        "WaitingForReplica",
        "no webhook replica holds this version yet; requests are sent to the webhook once one does",
      );
    }
    return notEnforced("Publishing", "the webhook configuration is being written");
  }
  if (webhook.replicas === 0) {
    return notEnforced(
      "NoReplica",
      "no webhook replica is alive; failurePolicy decides on requests until one is",
    );
  }
  if (webhook.loaded === 0) return notEnforced("Loading", `${loaded} hold this version`);
  if (webhook.loaded < webhook.replicas) {
    return {
      enforced: { isTrue: true, reason: "PartlyLoaded", message: `${loaded} hold this version` },
      degraded: { isTrue: true, reason: "PartlyLoaded", message: `only ${loaded} hold this version` },
    };
  }
  if (webhook.cannotJudge !== undefined) {
    const { reason, message } = webhook.cannotJudge;
    const told = bounded(`failurePolicy decides on requests, for the policy cannot be evaluated: ${message}`);
    return {
      enforced: { isTrue: false, reason, message: told },
      degraded: { isTrue: true, reason, message: told },
    };
  }
  return {
    enforced: { isTrue: true, reason: "Loaded", message: `${loaded} hold this version` },
    degraded:
      obstruction === undefined
        ? undefined
        : {
            isTrue: true,
            reason: obstruction.reason,
            message: bounded(`in force for now, but the webhook is not kept up: ${obstruction.message}`),
          },
  };
}

function describeProblem(problem: CompileProblem): string {
  const message = oneLine(problem.message);
  return bounded(
    problem.path === "" || message.startsWith(problem.path) ? message : `${problem.path}: ${message}`,
  );
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function bounded(text: string, limit = 4096): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}
