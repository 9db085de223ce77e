import { createHash } from "node:crypto";
import { exceptionSpecDigest } from "../exception-reports.ts";
import { fromJson } from "../from-json.ts";
import { type WebhookCalls, webhookCallsOf } from "../kept-policies.ts";
import {
  effectiveFailurePolicy,
  fitsWebhook,
  isJudgedByWebhook,
  judgesSoFar,
} from "../shieldpolicy/effective.ts";
import type { RolloutStage } from "../shieldpolicy/rollout-status.ts";
import { type ShieldPolicy, type ShieldPolicySpec, shieldPolicySchema } from "../shieldpolicy/schema.ts";

/** A version of a policy that is not in force everywhere yet, and what is where it is not. */
export interface Staging {
  /** Of the new version. */
  readonly digest: string;
  readonly turn: number;
  readonly stage: RolloutStage;
  readonly step: string;
  /** Share of namespaces in which the new version acts; 100: everywhere, and on cluster-scoped objects. */
  readonly percent: number;
  /** The version that acts elsewhere, as far as the status tells one. */
  readonly inForce: InForce | undefined;
  /** The status is about this very version: what it does not tell there is not. */
  readonly isTold: boolean;
}

export interface InForce {
  readonly digest: string;
  readonly spec: ShieldPolicySpec;
}

/** A policy as the API server returns it. */
export type StagedPolicy = Pick<ShieldPolicy, "spec" | "status"> & {
  readonly metadata: { readonly generation?: number | undefined };
};

/**
 * How a policy's newest version is staged, by its status; undefined where it is in force as written. A version that the
 * status does not speak of acts on nothing: who writes the status has not seen it yet.
 */
export function stagingOf(policy: StagedPolicy): Staging | undefined {
  const { spec, status } = policy;
  if (spec.rollout === undefined) return undefined;
  const digest = versionDigest(policy);
  const told = status?.rollout;
  if (told === undefined || told.digest !== digest) {
    const inForce = inForceOf(told?.inForce);
    return { digest, turn: 0, stage: "Shadow", step: "shadow", percent: 0, inForce, isTold: false };
  }
  const { stage, step, percent, turn } = told;
  if (stage === "Full") return undefined;
  return { digest, turn, stage, step, percent, inForce: inForceOf(told.inForce), isTold: true };
}

/** Equal for equal stagings, to see whether anything changed for who judges by it. */
export function stagingKey(policy: StagedPolicy): string {
  const staging = stagingOf(policy);
  if (staging === undefined) return "";
  const { digest, turn, percent, inForce, isTold } = staging;
  return [digest, turn, percent, inForce?.digest ?? "", isTold].join(" ");
}

/**
 * Digest of the version that is written. While nobody wrote the spec it is the one that the status tells: a newer
 * ShieldX may read the same spec with more defaults, and nothing is to be rolled out for that.
 */
export function versionDigest({ metadata, spec, status }: StagedPolicy): string {
  const told = status?.rollout;
  const isSame =
    told !== undefined && metadata.generation !== undefined && told.generation === metadata.generation;
  return isSame ? told.digest : rolloutDigest(spec);
}

const digests = new WeakMap<object, string>();

/** Tells versions apart. Its tests and the rollout itself are not part of what a version does. */
export function rolloutDigest(spec: ShieldPolicySpec): string {
  const known = digests.get(spec);
  if (known !== undefined) return known;
  const { rollout: _rollout, tests: _tests, ...rest } = spec;
  const digest = exceptionSpecDigest(rest);
  digests.set(spec, digest);
  return digest;
}

/** As it is kept in `status.rollout.inForce`. */
export function keptSpecOf(spec: ShieldPolicySpec): string {
  const { rollout: _rollout, tests: _tests, ...rest } = spec;
  return JSON.stringify(rest);
}

const parsed = new WeakMap<object, InForce | { readonly spec: undefined }>();

/** What does not parse, an operator of another version wrote; there is nothing to judge by. */
function inForceOf(
  kept: { readonly digest: string; readonly spec: string } | undefined,
): InForce | undefined {
  if (kept === undefined) return undefined;
  const known = parsed.get(kept);
  const inForce = known ?? parse(kept);
  if (known === undefined) parsed.set(kept, inForce);
  return inForce.spec === undefined ? undefined : inForce;
}

function parse({ digest, spec: text }: { readonly digest: string; readonly spec: string }) {
  const spec = shieldPolicySchema.shape.spec.safeParse(fromJson(text)).data;
  return spec === undefined ? { spec: undefined } : { digest, spec };
}

/** The same, to be evaluated by the webhook, which is who keeps stages. */
export function inWebhook(spec: ShieldPolicySpec): ShieldPolicySpec {
  return spec.engine === "cel" ? { ...spec, evaluation: "Webhook" } : spec;
}

/**
 * Whether the webhook judges by this version because the status says so: whoever has read the version alone does not judge yet.
 * A policy that is staged the webhook judges in any case.
 */
export function isJudgedByStatus(policy: StagedPolicy): boolean {
  const { spec, status } = policy;
  // A stored policy may lack what its kind requires.
  if (spec?.engine !== "cel" || spec.evaluation === "Webhook" || stagingOf(policy) !== undefined)
    return false;
  return isJudgedByWebhook(spec, judgesSoFar(status));
}

/** Of all versions that somebody may have to judge by. */
export function versionSpecs(policy: StagedPolicy): readonly ShieldPolicySpec[] {
  const inForce = stagingOf(policy)?.inForce;
  return inForce === undefined ? [policy.spec] : [policy.spec, inForce.spec];
}

/** Whether the version before can go on in the webhook; only the API server takes some. */
export function canBeKept({ spec }: InForce): boolean {
  return fitsWebhook(spec);
}

const WHOLE = 2 ** 32;

/**
 * Whether a policy acts in a namespace at that share of them. By a hash, so that a greater share only ever adds
 * namespaces, and salted by the policy's name, so that it is not the same namespaces that come first for every policy.
 */
export function actsInNamespace(policy: string, percent: number, namespace: string): boolean {
  if (percent >= 100) return true;
  if (percent <= 0) return false;
  const hash = createHash("sha256").update(`${policy}/${namespace}`).digest().readUInt32BE(0);
  return hash * 100 < percent * WHOLE;
}

/**
 * Every call the webhook needs for a policy. A version that does not act everywhere is called for by failurePolicy
 * Ignore: while nobody answers it must refuse nothing where it does not act. One that does is called for by both, so that
 * no request meets neither while the configurations are changed one after the other.
 */
export function webhookCallsFor(policy: StagedPolicy): readonly WebhookCalls[] {
  const staging = stagingOf(policy);
  if (staging === undefined) return listOf(webhookCallsOf(policy.spec, judgesSoFar(policy.status)));
  const spec = inWebhook(policy.spec);
  const { inForce } = staging;
  const before =
    inForce !== undefined && canBeKept(inForce) ? listOf(webhookCallsOf(inWebhook(inForce.spec))) : [];
  const own = listOf(webhookCallsOf(spec));
  const isStrict = effectiveFailurePolicy(spec) === "Fail";
  return [
    ...own.map((calls): WebhookCalls => ({ ...calls, failurePolicy: "Ignore" })),
    ...(staging.percent === 100 && isStrict ? own : []),
    ...before,
  ];
}

function listOf(calls: WebhookCalls | undefined): readonly WebhookCalls[] {
  return calls === undefined ? [] : [calls];
}
