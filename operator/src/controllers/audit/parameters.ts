import {
  type Client,
  type KubeObject,
  type Logger,
  ReferencedObjects,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { type CompiledPolicy, type ParamLookup, paramReferences } from "@shieldx/policy-engine";
import type { StandingRefusal } from "../../obstacles.ts";

export interface AuditParametersEvents {
  /** More is known, or it is clear that it will not be soon. */
  progress(): void;
  /** A parameter object changed: see `takeChanges`. */
  changed(): void;
}

/** What has to be judged anew because parameters changed. */
export interface ParameterChange {
  /** undefined: in every namespace. */
  readonly namespace: string | undefined;
  concerns(type: ResourceType): boolean;
}

/** The parameter objects of policies that audit existing objects. */
export class AuditParameters {
  readonly #objects: ReferencedObjects;
  #policies: readonly CompiledPolicy[] = [];
  /** By kind, the namespaces in which parameters changed. */
  readonly #changed = new Map<string, Set<string>>();

  constructor(client: Client, logger: Logger, namespace: string, events: AuditParametersEvents) {
    this.#objects = new ReferencedObjects({
      client,
      logger,
      namespace,
      remedy:
        "set rbac.paramKinds of the chart, or grant list and watch on them to the ServiceAccount shieldx-operator",
      onProgress: () => events.progress(),
      onChanged: (object) => {
        this.#note(object);
        events.changed();
      },
    });
  }

  hold(policies: readonly CompiledPolicy[], signal: AbortSignal): void {
    this.#policies = policies;
    this.#objects.hold(
      this.#references().map(({ reference }) => reference),
      signal,
    );
  }

  get lookUp(): ParamLookup {
    return this.#objects.lookUp;
  }

  /** Nothing is judged before: what is not known yet would look like an error. */
  get isSettled(): boolean {
    return this.#objects.isSettled;
  }

  /** Policies whose parameters cannot be had, and why. */
  refused(): ReadonlyMap<string, StandingRefusal> {
    const refused = new Map<string, StandingRefusal>();
    for (const { policy, reference } of this.#references()) {
      const problem = this.#objects.problem(reference);
      if (problem === undefined) continue;
      refused.set(policy, {
        reason: "NotAudited",
        message: `spec.paramKind: ${problem.message}`,
        isPassing: false,
      });
    }
    return refused;
  }

  /** What changed since the last call, put together. */
  takeChanges(): ParameterChange[] {
    const changes: ParameterChange[] = [];
    for (const { policy, reference } of this.#references()) {
      const namespaces = this.#changed.get(kindKey(reference));
      if (namespaces === undefined) continue;
      const rules =
        this.#policies.find(({ name }) => name === policy)?.source.spec.matchConstraints?.resourceRules ?? [];
      const concerns = ({ group, plural }: ResourceType): boolean =>
        rules.some(({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural));
      // A parameter of the request's namespace concerns what is in that namespace.
      const where = reference.namespace === undefined ? [...namespaces] : [""];
      for (const namespace of where) changes.push({ namespace: namespace || undefined, concerns });
    }
    this.#changed.clear();
    return changes;
  }

  #references() {
    return paramReferences(this.#policies, "existing objects");
  }

  #note({ apiVersion, kind, metadata }: KubeObject): void {
    const key = kindKey({ apiVersion, kind });
    const namespaces = this.#changed.get(key) ?? new Set<string>();
    this.#changed.set(key, namespaces.add(metadata.namespace ?? ""));
  }
}

function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${apiVersion} ${kind}`;
}
