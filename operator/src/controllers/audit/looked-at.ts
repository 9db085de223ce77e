import {
  type Client,
  type KubeObject,
  type Logger,
  ReferencedObjects,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { namespaceOfPolicy } from "@shieldx/crds";
import {
  type CompiledPolicy,
  Inventory,
  inventoryAtHand,
  inventoryReferences,
  type JudgeContext,
  paramReferences,
  parseExactJson,
} from "@shieldx/policy-engine";
import type { StandingRefusal } from "../../obstacles.ts";

export interface AuditLookedAtEvents {
  /** More is known, or it is clear that it will not be soon. */
  progress(): void;
  /** An object changed that policies look at: see `takeChanges`. */
  changed(): void;
}

export interface AuditLookedAtParts {
  readonly client: Client;
  readonly logger: Logger;
  /** ShieldX's own. */
  readonly namespace: string;
  /** Most bytes that one watch may hold; left out, as many as for the webhook. */
  readonly maxBytes?: number;
}

/** What has to be judged anew because objects changed that policies look at. */
export interface LookedAtChange {
  /** undefined: in every namespace. */
  readonly namespace: string | undefined;
  concerns(type: ResourceType): boolean;
}

const grant = (value: string) =>
  `set ${value} of the chart, or grant list and watch on them to the ServiceAccount shieldx-operator`;

/** The objects that policies which audit existing objects look at beside them: parameters, and the inventory. */
export class AuditLookedAt {
  readonly context: Pick<JudgeContext, "params" | "inventory">;
  readonly #params: ReferencedObjects;
  readonly #inventoried: ReferencedObjects;
  #policies: readonly CompiledPolicy[] = [];
  /** By kind, the namespaces in which parameters changed. */
  readonly #changedParams = new Map<string, Set<string>>();
  /** Kinds of the inventory of which something changed. */
  readonly #changedKinds = new Set<string>();

  constructor(parts: AuditLookedAtParts, events: AuditLookedAtEvents) {
    const shared = { ...parts, parse: parseExactJson, onProgress: () => events.progress() };
    this.#params = new ReferencedObjects({
      ...shared,
      remedy: grant("rbac.paramKinds"),
      onChanged: (object) => {
        this.#note(object);
        events.changed();
      },
    });
    const inventory = new Inventory();
    this.#inventoried = new ReferencedObjects({
      ...shared,
      feed: inventory,
      remedy: grant("rbac.inventoryKinds"),
      remedyForSize: "take the kind out of spec.rego.inventory",
      onChanged: (object) => {
        this.#changedKinds.add(kindKey(object));
        events.changed();
      },
    });
    this.context = {
      params: this.#params.lookUp,
      inventory: inventoryAtHand(inventory.documents, this.#inventoried.lookUp),
    };
  }

  hold(policies: readonly CompiledPolicy[], signal: AbortSignal): void {
    this.#policies = policies;
    const referred = ({ reference }: { reference: { apiVersion: string; kind: string } }) => reference;
    this.#params.hold(this.#paramReferences().map(referred), signal);
    this.#inventoried.hold(this.#inventoryReferences().map(referred), signal);
  }

  /** Nothing is judged before: what is not known yet would look like an error. */
  get isSettled(): boolean {
    return this.#params.isSettled && this.#inventoried.isSettled;
  }

  /** Policies that cannot see what they look at, and why. */
  refused(): ReadonlyMap<string, StandingRefusal> {
    const refused = new Map<string, StandingRefusal>();
    const note = (policy: string, field: string, problem: { readonly message: string } | undefined): void => {
      if (problem === undefined) return;
      const message = `${field}: ${problem.message}`;
      refused.set(policy, { reason: "NotAudited", message, isPassing: false });
    };
    for (const { policy, reference } of this.#inventoryReferences())
      note(policy, "spec.rego.inventory", this.#inventoried.problem(reference));
    for (const { policy, reference } of this.#paramReferences())
      note(policy, "spec.paramKind", this.#params.problem(reference));
    return refused;
  }

  /** What changed since the last call, put together. */
  takeChanges(): LookedAtChange[] {
    const changes: LookedAtChange[] = [];
    for (const { policy, reference } of this.#paramReferences()) {
      const namespaces = this.#changedParams.get(kindKey(reference));
      if (namespaces === undefined) continue;
      // A parameter of the request's namespace concerns what is in that namespace.
      const where = reference.namespace === undefined ? [...namespaces] : [namespaceOfPolicy(policy) ?? ""];
      for (const namespace of where)
        changes.push({ namespace: namespace || undefined, concerns: this.#concernOf(policy) });
    }
    const affected = this.#inventoryReferences().filter(({ reference }) =>
      this.#changedKinds.has(kindKey(reference)),
    );
    for (const policy of new Set(affected.map((each) => each.policy)))
      changes.push({ namespace: namespaceOfPolicy(policy), concerns: this.#concernOf(policy) });
    this.#changedParams.clear();
    this.#changedKinds.clear();
    return changes;
  }

  #concernOf(policy: string): LookedAtChange["concerns"] {
    const rules =
      this.#policies.find(({ name }) => name === policy)?.source.spec.matchConstraints?.resourceRules ?? [];
    return ({ group, plural }) =>
      rules.some(({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural));
  }

  #paramReferences() {
    return paramReferences(this.#policies, "existing objects");
  }

  #inventoryReferences() {
    return inventoryReferences(this.#policies, "existing objects");
  }

  #note({ apiVersion, kind, metadata }: KubeObject): void {
    const key = kindKey({ apiVersion, kind });
    const namespaces = this.#changedParams.get(key) ?? new Set<string>();
    this.#changedParams.set(key, namespaces.add(metadata.namespace ?? ""));
  }
}

function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${apiVersion} ${kind}`;
}
