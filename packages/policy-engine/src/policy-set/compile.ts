import {
  effectiveBackground,
  effectiveFailurePolicy,
  hasWildcard,
  inWebhook,
  isJudgedByWebhook,
  isOnlyServed,
  judgesSoFar,
  MOST_WEBHOOK_CALLS,
  maxExceptionDurationMs,
  mutates,
  NATIVE_ONLY_GROUPS,
  pinsDigests,
  type ShieldPolicy,
  stagingOf,
  validates,
  webhookCalls,
} from "@shieldx/crds";
import { missingOnServer } from "../cel/admission/server-functions.ts";
import { imagePinner } from "../images/pin.ts";
import { compileImages, ImageRulesError } from "../images/rules.ts";
import type { Mutator } from "../mutation/mutator.ts";
import { isPodSecurityLevel, isPodSecurityVersion, resolveMinor } from "../pod-security/levels.ts";
import { podCarriers } from "../pod-security/workload.ts";
import { type AllowedHost, AllowedHostError, parseAllowedHost } from "../rego/calls/index.ts";
import type { RegoProgram } from "../rego/program/index.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import { isOwnGroup } from "./cluster-scoped.ts";
import type { PolicySetMember } from "./digest.ts";
import { celJudge, compileMutator, mentions, unableJudge } from "./engines/cel.ts";
import { imagesJudge } from "./engines/images.ts";
import { podSecurityJudge } from "./engines/pod-security.ts";
import { regoJudge } from "./engines/rego.ts";
import { PolicyCompileError } from "./errors.ts";
import type { ExceptionTerms } from "./exceptions.ts";
import { type Judge, neverHere } from "./judgement.ts";
import { type CompiledMatch, compileMatch } from "./match.ts";
import type { AdmissionRequestLike, FailurePolicy } from "./request.ts";
import type { ResourceRuleLike } from "./resource-rules.ts";
import { compileSelector } from "./selector.ts";
import { checkConfined } from "./tenants/confinement.ts";

export interface CompileEnvironment {
  /** Minor version of the API server; what `latest` means. */
  readonly serverMinor: number;
  /** Also evaluates what the API server would evaluate itself, where it can be: for files, without a server. */
  readonly evaluatesNative?: boolean | undefined;
  /** What has been compiled of policies in Rego; left out, none can be. */
  readonly rego?: RegoLookup | undefined;
  /** Keeps a version to the stage its status tells. Left out, each is in force as written: for files, and tests of policies. */
  readonly keepsStages?: boolean | undefined;
}

/** A version that is not in force everywhere. */
export interface Stage {
  readonly digest: string;
  /** What it counts is about. */
  readonly turn: number;
  readonly percent: number;
  /** The version that acts where this one does not, if there is one. */
  readonly inForce: CompiledPolicy | undefined;
}

interface CompiledBase extends PolicySetMember {
  readonly admission: "deny" | "warn" | "audit" | "off";
  readonly background: "audit" | "off";
  readonly failurePolicy: FailurePolicy;
  readonly exceptions: ExceptionTerms;
  /** As written. */
  readonly source: ShieldPolicy;
}

export interface CompiledPolicy extends CompiledBase {
  readonly engine: ShieldPolicy["spec"]["engine"];
  readonly match: CompiledMatch;
  readonly judge: Judge;
  /** What it changes before anything is judged; absent where it changes nothing here. */
  readonly mutator?: Mutator;
  /** False where the API server evaluates the policy itself: it takes no part in admission here. */
  readonly isEvaluatedHere: boolean;
  /** Engine rego: what it is judged by. A bundle brings another without a new generation. */
  readonly program?: RegoProgram;
  /** Engine podSecurity: the edition of the standards in force, `latest` resolved. */
  readonly podSecurityMinor?: number;
  /** Absent where it is in force as written. */
  readonly stage?: Stage;
  /** Requests on which it acts; left out, all that it matches. */
  readonly actsOn?: (request: AdmissionRequestLike) => boolean;
  /** Why it cannot be judged by, though requests are the webhook's until the API server evaluates it. */
  readonly notJudged?: string;
  /** Calls of which failurePolicy it is held against; left out, of its own. */
  readonly calledBy?: FailurePolicy | "either";
}

/** What engines podSecurity and images are about when a policy names no resources. */
export const podResourceRules: readonly ResourceRuleLike[] = [
  {
    apiGroups: [""],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE"],
    resources: ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"],
  },
  ...["apps", "batch"].map((group) => ({
    apiGroups: [group],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE"],
    resources: podCarriers.filter((carrier) => carrier.group === group).map(({ resource }) => resource),
  })),
];

/**
 * Checks a policy and prepares it for evaluation.
 *
 * @throws PolicyCompileError saying which field is wrong and what to do.
 */
export function compilePolicy(policy: ShieldPolicy, environment: CompileEnvironment): CompiledPolicy {
  if (environment.keepsStages !== true || stagingOf(policy) === undefined)
    return compileWhole(policy, environment);
  const whole = compileWhole({ ...policy, spec: inWebhook(policy.spec) }, environment);
  return { ...whole, source: policy };
}

function compileWhole(policy: ShieldPolicy, environment: CompileEnvironment): CompiledPolicy {
  const { metadata, spec } = policy;
  checkConfined(policy);
  const base: CompiledBase = {
    name: metadata.name,
    uid: metadata.uid ?? "",
    generation: metadata.generation ?? 0,
    admission: spec.actions.admission,
    background: effectiveBackground(spec),
    failurePolicy: effectiveFailurePolicy(spec),
    exceptions: compileTerms(policy),
    source: policy,
  };
  switch (spec.engine) {
    case "podSecurity":
      return compilePodSecurity(base, policy, environment);
    case "cel":
      return compileCel(base, policy, environment);
    case "rego":
      return compileRego(base, policy, environment);
    case "images":
      return compileImageVerification(base, policy);
    default:
      return unknownEngine(spec.engine);
  }
}

function unknownEngine(engine: never): never {
  throw new PolicyCompileError(
    "Invalid",
    "spec.engine",
    `"${String(engine)}" is no engine; use podSecurity, cel, rego or images`,
  );
}

/**
 * Checks a policy of engine cel and returns its terms for exceptions.
 *
 * @throws PolicyCompileError when it is of another engine or cannot be rendered.
 */
export function compileCelTerms(policy: ShieldPolicy): ExceptionTerms {
  const compiled = compilePolicy(policy, { serverMinor: 0 });
  if (compiled.engine === "cel") return compiled.exceptions;
  throw new PolicyCompileError(
    "Invalid",
    "spec.engine",
    `${compiled.engine} has no native form: only cel has`,
  );
}

function compileTerms({ metadata, spec }: ShieldPolicy): ExceptionTerms {
  const path = "spec.exceptions";
  const allowed = spec.exceptions?.namespaces;
  let maxDurationMs: number;
  try {
    maxDurationMs = maxExceptionDurationMs(spec);
  } catch (cause) {
    throw new PolicyCompileError("Invalid", `${path}.maxDuration`, "write a duration such as 720h", {
      cause,
    });
  }
  return {
    policy: metadata.name,
    maxDurationMs,
    isAboutOthersKinds: (spec.matchConstraints?.resourceRules ?? []).some(
      ({ apiGroups }) => !apiGroups.every(isOwnGroup),
    ),
    namespaces: allowed && {
      names: new Set(allowed.names),
      selector: allowed.selector && compileSelector(allowed.selector, `${path}.namespaces.selector`),
    },
  };
}

function compilePodSecurity(
  base: CompiledBase,
  { spec }: ShieldPolicy,
  environment: CompileEnvironment,
): CompiledPolicy {
  const path = "spec.podSecurity";
  const settings = spec.podSecurity;
  if (settings === undefined) {
    throw new PolicyCompileError(
      "Required",
      path,
      "engine podSecurity needs a level: baseline or restricted",
    );
  }
  const { level, version = "latest", exemptions } = settings;
  if (!isPodSecurityLevel(level)) {
    throw new PolicyCompileError(
      "Invalid",
      `${path}.level`,
      `"${level}" is not privileged, baseline or restricted`,
    );
  }
  if (!isPodSecurityVersion(version)) {
    throw new PolicyCompileError(
      "Invalid",
      `${path}.version`,
      `"${version}" is neither latest nor of the form v1.34`,
    );
  }
  if (spec.evaluation === "Native") {
    throw new PolicyCompileError(
      "NotYetSupported",
      "spec.evaluation",
      "engine podSecurity runs in the webhook: use Auto",
    );
  }
  const minor = resolveMinor(version, environment.serverMinor);
  return {
    ...base,
    engine: "podSecurity",
    match: compileMatch(spec.matchConstraints, podResourceRules, "spec.matchConstraints"),
    judge: podSecurityJudge({ level, minor, basis: `${level}:${version}`, exemptions }),
    isEvaluatedHere: true,
    podSecurityMinor: minor,
  };
}

function compileCel(
  base: CompiledBase,
  { spec, status }: ShieldPolicy,
  { evaluatesNative = false, serverMinor }: CompileEnvironment,
): CompiledPolicy {
  checkNamesResources(spec);
  if (!hasRules(spec)) {
    throw new PolicyCompileError("Required", "spec.validations", "needs at least one rule to keep");
  }
  const isDemanded = spec.evaluation === "Webhook" || evaluatesNative;
  if (spec.evaluation === "Webhook") checkCalls(spec, "evaluation Webhook", ", or use Native");
  if (base.background === "audit") checkLooksAtNobody(spec);
  const match = compileMatch(spec.matchConstraints, [], "spec.matchConstraints");
  const policy = { ...base, engine: "cel", match } as const;
  const isJudged = isJudgedByWebhook(spec, judgesSoFar(status));
  const isOurs = isDemanded || (isJudged && missingOnServer(spec, serverMinor) !== undefined);
  if (isOurs || base.background === "audit")
    return { ...policy, ...celEngine(spec), isEvaluatedHere: isJudged || isDemanded };
  if (isJudged) return { ...policy, ...untilHandedOver(spec) };
  // What the API server evaluates alone need not be understood here.
  return { ...policy, judge: neverHere, isEvaluatedHere: false };
}

/** One that only mutates, or says nothing but what goes into the audit log, is a policy, too. */
function hasRules(spec: ShieldPolicy["spec"]): boolean {
  return [spec.validations, spec.auditAnnotations, spec.mutations].some((rules = []) => rules.length > 0);
}

/** Both halves of a policy: what it changes, and what it judges. */
function celEngine(spec: ShieldPolicy["spec"]): Pick<CompiledPolicy, "judge" | "mutator"> {
  const judge = validates(spec) ? celJudge(spec) : neverHere;
  return mutates(spec) ? { judge, mutator: compileMutator(spec) } : { judge };
}

/**
 * What the API server is about to evaluate is its to understand; until it does, requests are ours, and failurePolicy decides
 * where we do not understand it and have no version before it.
 */
function untilHandedOver(
  spec: ShieldPolicy["spec"],
): Pick<CompiledPolicy, "judge" | "mutator" | "isEvaluatedHere" | "notJudged"> {
  try {
    return { ...celEngine(spec), isEvaluatedHere: true };
  } catch (error) {
    if (!(error instanceof PolicyCompileError)) throw error;
    const notJudged = `until the API server evaluates it: ${error.message}`;
    return { judge: unableJudge(notJudged), isEvaluatedHere: true, notJudged };
  }
}

function checkNamesResources(spec: ShieldPolicy["spec"]): void {
  if ((spec.matchConstraints?.resourceRules ?? []).length > 0) return;
  throw new PolicyCompileError(
    "Required",
    "spec.matchConstraints.resourceRules",
    "name what the policy is about",
  );
}

function checkLooksAtNobody(spec: ShieldPolicy["spec"]): void {
  if (!mentions(spec, /\b(?:authorizer|userInfo)\b/)) return;
  throw new PolicyCompileError(
    "Invalid",
    "spec.actions.background",
    "a policy that looks at who asks cannot be held against objects that exist: use off",
  );
}

function compileRego(
  base: CompiledBase,
  { spec }: ShieldPolicy,
  { rego }: CompileEnvironment,
): CompiledPolicy {
  // Rules that are only asked for over HTTP are compiled by whoever serves them.
  if (isOnlyServed(spec))
    return { ...base, engine: "rego", match: aboutNothing, judge: neverHere, isEvaluatedHere: false };
  checkNamesResources(spec);
  const hosts = allowedHostsOf(spec);
  if (spec.evaluation === "Native") {
    const message = "the API server does not understand Rego: use Auto or Webhook";
    throw new PolicyCompileError("Invalid", "spec.evaluation", message);
  }
  checkCalls(spec, "engine rego", "");
  if (base.background === "audit") checkLooksAtNobody(spec);
  const program = programOf(spec, rego);
  return {
    ...base,
    engine: "rego",
    program,
    match: compileMatch(spec.matchConstraints, [], "spec.matchConstraints"),
    judge: regoJudge(spec, program, { policy: base.name, hosts }),
    isEvaluatedHere: true,
  };
}

function allowedHostsOf({ rego }: ShieldPolicy["spec"]): readonly AllowedHost[] {
  return (rego?.allowedHosts ?? []).map((text, at) => {
    try {
      return parseAllowedHost(text);
    } catch (error) {
      if (!(error instanceof AllowedHostError)) throw error;
      throw new PolicyCompileError("Invalid", `spec.rego.allowedHosts[${at}]`, error.message);
    }
  });
}

function compileImageVerification(base: CompiledBase, { spec }: ShieldPolicy): CompiledPolicy {
  const path = "spec.verifyImages";
  if (spec.verifyImages === undefined)
    throw new PolicyCompileError("Required", path, "say which images must be signed, and by whom");
  try {
    const images = compileImages(spec.verifyImages, pinsDigests(spec));
    return {
      ...base,
      engine: "images",
      match: compileMatch(spec.matchConstraints, podResourceRules, "spec.matchConstraints"),
      judge: imagesJudge(images),
      ...(images.pins ? { mutator: imagePinner(images) } : {}),
      isEvaluatedHere: true,
    };
  } catch (error) {
    if (!(error instanceof ImageRulesError)) throw error;
    throw new PolicyCompileError("Invalid", `${path}.${error.path}`, error.message, { cause: error });
  }
}

const aboutNothing = compileMatch(undefined, [], "spec.matchConstraints");

function programOf({ engine, rego }: ShieldPolicy["spec"], lookUp: RegoLookup | undefined): RegoProgram {
  const path = rego?.bundle === undefined ? "spec.rego.module" : "spec.rego.bundle";
  if (rego?.module === undefined && rego?.bundle === undefined)
    throw new PolicyCompileError("Required", path, "write the policy there");
  const state = lookUp?.({ engine, rego }) ?? {
    kind: "compiling",
    failure: "there is no Rego compiler here",
  };
  switch (state.kind) {
    case "ready":
      return state.program;
    case "refused":
      throw new PolicyCompileError("Invalid", path, state.problem);
    case "compiling":
      if (state.failure === undefined) throw new PolicyCompileError("Compiling", path, "is being compiled");
      throw new PolicyCompileError("CompilerFailed", path, `could not be compiled yet: ${state.failure}`);
    case "fetching":
      if (state.failure === undefined)
        throw new PolicyCompileError("BundlePending", path, "has not been fetched yet");
      throw new PolicyCompileError("BundleFailed", path, `cannot be had so far: ${state.failure}`);
    default:
      return state satisfies never;
  }
}

/**
 * What the kind's rules say as well; a file checked offline has not passed those. `who` needs the calls; `instead`: what
 * else can be done.
 */
function checkCalls(spec: ShieldPolicy["spec"], who: string, instead: string): void {
  const path = "spec.matchConstraints.resourceRules";
  const rules = spec.matchConstraints?.resourceRules ?? [];
  if (rules.some(hasWildcard)) {
    const message = `${who} takes no * in apiGroups and resources: name them${instead}`;
    throw new PolicyCompileError("Invalid", path, message);
  }
  const reserved = rules
    .flatMap(({ apiGroups }) => apiGroups)
    .find((group) => NATIVE_ONLY_GROUPS.includes(group));
  if (reserved !== undefined) {
    const message = `${who} cannot be about ${reserved}, which ShieldX is brought back with: leave it out${instead}`;
    throw new PolicyCompileError("Invalid", path, message);
  }
  const calls = webhookCalls(rules);
  if (calls > MOST_WEBHOOK_CALLS) {
    const message = `come to ${calls} combinations; at most ${MOST_WEBHOOK_CALLS} with ${who}: use fewer${instead}`;
    throw new PolicyCompileError("Invalid", path, message);
  }
}
