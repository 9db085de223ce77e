import type { CompiledPolicy } from "./compile.ts";
import { isLeftAlone } from "./left-alone.ts";
import { type PlanStep, planOf } from "./plan.ts";
import type { AdmissionRequestLike } from "./request.ts";
import { coversOperation, coversResource } from "./resource-rules.ts";

/** So that requests about ever new kinds fill no memory: kinds a cluster has beyond this are looked up each time. */
const mostKeys = 4096;

interface Entry<P> {
  readonly policies: readonly P[];
  plan: readonly PlanStep[] | undefined;
}

/**
 * Policies by resource and operation, so that a request meets only its own. An entry is made when the first such
 * request comes: rules may hold wildcards, and which resources there are only the API server knows.
 */
export class PolicyIndex<P extends CompiledPolicy = CompiledPolicy> {
  readonly #policies: readonly P[];
  readonly #reaches: (policy: P, group: string, resource: string, subresource: string) => boolean;
  readonly #known = new Map<string, Entry<P>>();

  /** `reaches`: what of its rules a policy is about here; by default what its judge can judge. */
  constructor(policies: readonly P[], reaches = judgeReaches) {
    this.#policies = policies;
    this.#reaches = reaches;
  }

  of(request: AdmissionRequestLike): readonly P[] {
    return this.#find(request, request.operation).policies;
  }

  /** The same as steps of a loop over all of them. */
  planOf(request: AdmissionRequestLike): readonly PlanStep[] {
    const entry = this.#find(request, request.operation);
    entry.plan ??= planOf(entry.policies);
    return entry.plan;
  }

  /** Whatever the operation: for objects that exist. */
  ofAnyOperation(request: AdmissionRequestLike): readonly P[] {
    return this.#find(request, undefined).policies;
  }

  #find(request: AdmissionRequestLike, operation: string | undefined): Entry<P> {
    const { group, resource } = request.resource;
    const subresource = request.subResource ?? "";
    const key = `${operation ?? ""} ${group}/${resource}/${subresource}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const policies = this.#policies.filter((policy) => {
      if (!this.#reaches(policy, group, resource, subresource)) return false;
      return policy.match.resourceRules.some(
        (rule) =>
          coversResource(rule, group, resource, subresource) &&
          (operation === undefined || coversOperation(rule, operation)),
      );
    });
    const found: Entry<P> = { policies, plan: undefined };
    if (this.#known.size < mostKeys) this.#known.set(key, found);
    return found;
  }
}

function judgeReaches(
  { judge }: CompiledPolicy,
  group: string,
  resource: string,
  subresource: string,
): boolean {
  return judge.reaches(group, resource, subresource);
}

/** Mutations are not for what must work whatever a policy says. */
export function mutationReaches(
  _policy: CompiledPolicy,
  group: string,
  resource: string,
  subresource: string,
): boolean {
  return !isLeftAlone(group, resource, subresource, undefined);
}
