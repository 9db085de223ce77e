import type { CompiledPolicy } from "./compile.ts";
import type { AdmissionRequestLike } from "./request.ts";
import { coversOperation, coversResource } from "./resource-rules.ts";

/** So that requests about ever new kinds fill no memory: kinds a cluster has beyond this are looked up each time. */
const mostKeys = 4096;

/**
 * Policies by resource and operation, so that a request meets only its own. An entry is made when the first such
 * request comes: rules may hold wildcards, and which resources there are only the API server knows.
 */
export class PolicyIndex {
  readonly #policies: readonly CompiledPolicy[];
  readonly #known = new Map<string, readonly CompiledPolicy[]>();

  constructor(policies: readonly CompiledPolicy[]) {
    this.#policies = policies;
  }

  of(request: AdmissionRequestLike): readonly CompiledPolicy[] {
    return this.#find(request, request.operation);
  }

  /** Whatever the operation: for objects that exist. */
  ofAnyOperation(request: AdmissionRequestLike): readonly CompiledPolicy[] {
    return this.#find(request, undefined);
  }

  #find(request: AdmissionRequestLike, operation: string | undefined): readonly CompiledPolicy[] {
    const { group, resource } = request.resource;
    const subresource = request.subResource ?? "";
    const key = `${operation ?? ""} ${group}/${resource}/${subresource}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#policies.filter(({ match, judge }) => {
      if (!judge.reaches(group, resource, subresource)) return false;
      return match.resourceRules.some(
        (rule) =>
          coversResource(rule, group, resource, subresource) &&
          (operation === undefined || coversOperation(rule, operation)),
      );
    });
    if (this.#known.size < mostKeys) this.#known.set(key, found);
    return found;
  }
}
