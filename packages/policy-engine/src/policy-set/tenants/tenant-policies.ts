import { namespaceOfPolicy } from "@shieldx/crds";
import type { CompiledPolicy } from "../compile.ts";
import type { InventoryAtHand } from "../inventory.ts";
import type { ParamLookup } from "../params.ts";
import { PolicyIndex } from "../policy-index.ts";
import type { QuestionContext } from "../question.ts";
import type { TimedContext, Turns } from "../timing.ts";
import type { Verdict } from "../verdict.ts";
import { inventoryOfNamespace } from "./own-namespace.ts";
import type { TenantTime } from "./time.ts";

/** Where policies of tenants find what they look at; left out, nowhere. Each sees of it what is in its namespace. */
export interface TenantContext {
  readonly params?: ParamLookup | undefined;
  readonly inventory?: InventoryAtHand | undefined;
  /** Left out, they may take what the request has left. */
  readonly time?: TenantTime | undefined;
}

/** Policies of one namespace, by what they are held against. */
export interface PoliciesOfNamespace {
  readonly admission: PolicyIndex;
  readonly background: PolicyIndex;
}

/** Policies of tenants by namespace: a request meets those of its own and no others, however many there are. */
export function tenantPolicies(
  policies: readonly CompiledPolicy[],
): ReadonlyMap<string, PoliciesOfNamespace> {
  const byNamespace = new Map<string, CompiledPolicy[]>();
  for (const policy of policies) {
    const namespace = namespaceOfPolicy(policy.name);
    if (namespace === undefined) continue;
    const others = byNamespace.get(namespace);
    if (others === undefined) byNamespace.set(namespace, [policy]);
    else others.push(policy);
  }
  return new Map(
    [...byNamespace].map(([namespace, all]) => [
      namespace,
      {
        admission: new PolicyIndex(
          all.filter(({ isEvaluatedHere, admission }) => isEvaluatedHere && admission !== "off"),
        ),
        background: new PolicyIndex(all.filter(({ background }) => background === "audit")),
      },
    ]),
  );
}

/** Of the time a request has left when the cluster's policies are through with it. */
const shareOfDeadline = 0.5;

/**
 * What a tenant's policies are asked with: nobody outside, and nothing of other namespaces.
 *
 * @param leftMs what the cluster's policies left of the time there is
 */
export function contextOfTenant<C extends QuestionContext & TimedContext>(
  context: C & { readonly tenants?: TenantContext | undefined },
  namespace: string,
  leftMs: number,
): C {
  const { authorize: _nobody, calls: _noCalls, images: _noImages, tenants = {}, ...rest } = context;
  const { params, inventory } = tenants;
  return {
    ...rest,
    params,
    inventory: inventory && inventoryOfNamespace(inventory, namespace),
    deadlineMs: leftMs * shareOfDeadline,
  } as unknown as C;
}

/** Does work in turns and tells what each took. */
export function* measured<T>(work: Turns<T>, nowMs: () => number, took: (ms: number) => void): Turns<T> {
  for (;;) {
    const startedAt = nowMs();
    const step = work.next();
    took(nowMs() - startedAt);
    if (step.done === true) return step.value;
    yield;
  }
}

/** What is said of a request by the policies of the cluster, and then by those of its namespace. */
export function together(first: Verdict, second: Verdict): Verdict {
  return {
    allowed: first.allowed && second.allowed,
    denials: [...first.denials, ...second.denials],
    warnings: [...first.warnings, ...second.warnings],
    audits: [...first.audits, ...second.audits],
    exempted: [...first.exempted, ...second.exempted],
    matched: [...first.matched, ...second.matched],
    // Policies of tenants have none.
    annotations: first.annotations,
    asks: [...first.asks, ...second.asks],
    staged: first.staged,
  };
}
