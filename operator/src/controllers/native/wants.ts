import type { ReconcileContext } from "@shieldx/controller-runtime";
import { canBeKept, type ShieldPolicy, type Staging, stagingOf, validates } from "@shieldx/crds";
import {
  type Fragment,
  fragmentOf,
  PolicyCompileError,
  type RenderedPolicy,
  renderAdmissionPolicy,
} from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import { asException, asPolicy, type ShieldExceptionObject, type ShieldPolicyObject } from "../../kinds.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { compileProblemOf, enforcerOfPolicy, observeExceptions } from "../shieldpolicy/observe.ts";
import type { Want } from "./plan.ts";

interface Rendering {
  readonly rendered: RenderedPolicy | undefined;
  readonly fragment: Fragment | undefined;
  /** Why the policy cannot be rendered. */
  readonly problem: string | undefined;
}

export interface ObservedWant extends Want {
  readonly problem: string | undefined;
  /** Exceptions that did not fit in. */
  readonly leftOut: readonly string[];
  /** When what is rendered changes by itself, ms since the epoch. */
  readonly nextExpiryMs: number | undefined;
}

/** Renders policies, each version of them once. */
export class Wants {
  readonly #operator: OperatorContext;
  #renderings = new Map<string, Rendering>();

  constructor(operator: OperatorContext) {
    this.#operator = operator;
  }

  /**
   * What each policy comes to that is evaluated by the API server, or still is. `isInstalled`: whether something of it is
   * on the server. `mayMerge`: whether that version of it gets on with others.
   */
  observe(
    context: ReconcileContext,
    policies: readonly ShieldPolicyObject[],
    isInstalled: (policy: string) => boolean,
    mayMerge: (policy: string, version: string) => boolean,
    now: number,
  ): ObservedWant[] {
    const before = this.#renderings;
    this.#renderings = new Map();
    return policies.flatMap((policy): ObservedWant[] => {
      if (policy.metadata.deletionTimestamp !== undefined) return [];
      const standing = this.#standingOf(policy, isInstalled);
      if (standing === "none") return [];
      const { name, uid = "", generation = 0 } = policy.metadata;
      const identity = { policy: name, uid, generation };
      if (standing === "as it is") return [{ ...identity, ...nothingNew }];
      const { honoured, nextExpiryMs } = observeExceptions(this.#operator, context, policy, now);
      const version = versionOf(policy, honoured, this.#operator.serverMinor);
      const rendering = before.get(version) ?? this.#render(context, policy, honoured, now);
      this.#renderings.set(version, rendering);
      const { rendered, problem } = rendering;
      const fragment = mayMerge(name, version) ? rendering.fragment : undefined;
      const leftOut = rendered?.exceptions.leftOut ?? [];
      return [{ ...identity, version, rendered, fragment, problem, leftOut, nextExpiryMs }];
    });
  }

  #standingOf(policy: ShieldPolicyObject, isInstalled: (policy: string) => boolean): Standing {
    const { name } = policy.metadata;
    if (compileProblemOf(this.#operator, name) !== undefined) return "as it is";
    const staging = stagingOf(asPolicy(policy));
    // What is on the server is of the version before. It stays where nobody else could go on with that one.
    if (staging !== undefined && !this.#goesOnInWebhook(name, staging))
      return isInstalled(name) ? "as it is" : "none";
    const { spec } = inForce(policy);
    // What only mutates has nothing here, but for what a version before it left.
    if (!validates(spec)) return "none";
    switch (enforcerOfPolicy(policy, this.#operator).by) {
      case "Native":
        return "as wanted";
      case "Webhook": {
        const isStillNative = isInstalled(name) || policy.status?.enforcedBy === "Native";
        const isReleased = this.#operator.native.isReleased(name, policy.metadata);
        return isStillNative && !isReleased && spec.engine === "cel" ? "as wanted" : "none";
      }
      default:
        return "none";
    }
  }

  /** Whether the webhook acts by the version before: what it does not understand it cannot. */
  #goesOnInWebhook(name: string, { inForce }: Staging): boolean {
    const compiled = this.#operator.world.current().policy(name)?.stage?.inForce;
    return inForce !== undefined && canBeKept(inForce) && compiled !== undefined;
  }

  #render(
    context: ReconcileContext,
    policy: ShieldPolicyObject,
    honoured: readonly ShieldExceptionObject[],
    now: number,
  ): Rendering {
    try {
      const rendered = renderAdmissionPolicy(inForce(policy), honoured.map(asException), now, {
        namespaceLabels: (name) => namespaceLabels(context, name),
        neverJudged: this.#operator.ownNamespaces,
        serverMinor: this.#operator.serverMinor,
      });
      return { rendered, fragment: this.#fragmentOf(context, rendered), problem: undefined };
    } catch (error) {
      if (!(error instanceof PolicyCompileError)) tellMistake(context, policy.metadata.name, error);
      const problem = error instanceof Error ? error.message : String(error);
      return { rendered: undefined, fragment: undefined, problem };
    }
  }

  #fragmentOf(context: ReconcileContext, rendered: RenderedPolicy): Fragment | undefined {
    try {
      const fragment = fragmentOf(rendered);
      if (!("alone" in fragment)) return fragment;
      context.logger.debug({ policy: rendered.of }, `not rendered with others: ${fragment.alone}`);
    } catch (error) {
      tellMistake(context, rendered.of, error);
    }
    return undefined;
  }
}

/** A mistake of ours about one policy must not become one about all, which are rendered in one go. */
function tellMistake(context: ReconcileContext, policy: string, error: unknown): void {
  context.logger.error({ policy, err: error }, "the policy could not be rendered");
}

/** Whether what is rendered of a policy has to be as the policy says now, may stay as it is, or has to go. */
type Standing = "as wanted" | "as it is" | "none";

const nothingNew = {
  version: "",
  rendered: undefined,
  fragment: undefined,
  problem: undefined,
  leftOut: [],
  nextExpiryMs: undefined,
} as const;

/** What the API server is to evaluate: a version that goes in by stages is the webhook's until it is in force everywhere. */
function inForce(policy: ShieldPolicyObject): ShieldPolicy {
  const whole = asPolicy(policy);
  const before = stagingOf(whole)?.inForce;
  return before === undefined ? whole : { ...whole, spec: before.spec };
}

function versionOf(
  policy: ShieldPolicyObject,
  honoured: readonly ShieldExceptionObject[],
  serverMinor: number,
): string {
  const versions = [policy, ...honoured].map(({ metadata }) => `${metadata.uid}/${metadata.generation}`);
  const before = stagingOf(asPolicy(policy))?.inForce;
  const of = before === undefined ? "" : `|in force ${before.digest}`;
  return `${policy.metadata.name}|${versions.join("|")}${of}|on 1.${serverMinor}`;
}
