import type { AuditedObject } from "../controllers/audit/audited-object.ts";
import { type Offending, topmost } from "../controllers/audit/worst-offenders.ts";
import { first } from "../first.ts";

/** What is counted: the audit's index. */
export interface Offenders {
  keys(): Iterable<string>;
  get(key: string): Offending | undefined;
}

/** How many objects offend somewhere, and how many findings there are against them. */
export interface Count {
  readonly objects: number;
  readonly violations: number;
}

/** Who has to mend it: the topmost controller of what offends, or the object itself. */
export interface Owner extends Count {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
}

/** Everything that offends at one moment. */
export interface Tally extends Count {
  /** One object may offend against several. */
  readonly policies: ReadonlyMap<string, Count>;
  /** By name; "" are objects in no namespace. */
  readonly namespaces: ReadonlyMap<string, Count>;
  /** By one text for each, as `Deployment shop/web`. */
  readonly owners: ReadonlyMap<string, Owner>;
}

/** Objects between two turns of the event loop: some milliseconds, as the audit's own slices. */
const SLICE = 500;

/**
 * Counts everything that offends. One pass; `pause` is awaited now and then, for there may be 100,000 objects. What changes
 * meanwhile is counted as it is met.
 */
export async function tally(offenders: Offenders, pause: () => Promise<void>): Promise<Tally> {
  const all = { objects: 0, violations: 0 };
  const policies = new Map<string, Counting>();
  const namespaces = new Map<string, Counting>();
  const owners = new Map<string, Counting & Named>();
  const find = (uid: string): Offending | undefined => offenders.get(uid);
  for (const key of offenders.keys()) {
    const entry = offenders.get(key);
    if (entry === undefined) continue;
    const { object, breaks } = entry;
    let violations = 0;
    for (const [at, policy] of breaks.policies.entries()) {
      const found = breaks.findings[at] ?? 0;
      violations += found;
      add(policies, policy, found);
    }
    all.objects++;
    all.violations += violations;
    add(namespaces, object.namespace, violations);
    const owner = ownerOf(topmost(entry, find).object);
    add(owners, keyOf(owner), violations, owner);
    if (all.objects % SLICE === 0) await pause();
  }
  return { ...all, policies, namespaces, owners };
}

interface Counting {
  objects: number;
  violations: number;
}

type Named = Pick<Owner, "namespace" | "kind" | "name">;

function add<T extends Counting>(
  counts: Map<string, T>,
  key: string,
  violations: number,
  ...more: Counting extends T ? [] : [Omit<T, keyof Counting>]
): void {
  const known = counts.get(key);
  if (known === undefined) {
    counts.set(key, { ...more[0], objects: 1, violations } as unknown as T);
    return;
  }
  known.objects++;
  known.violations += violations;
}

/** A controller that is not judged itself, or keeps the policies, is known by its reference only. */
function ownerOf({ namespace, kind, name, controller }: AuditedObject): Named {
  if (controller === undefined) return { namespace, kind, name };
  const slash = controller.indexOf("/");
  return { namespace, kind: controller.slice(0, slash), name: controller.slice(slash + 1) };
}

/** One text for one owner, to follow it over time. */
function keyOf({ namespace, kind, name }: Named): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** The `limit` with the most, equal ones by their keys, so that two looks at the same show the same. */
export function most<T extends Count>(
  counts: ReadonlyMap<string, T>,
  limit: number,
): (readonly [string, T])[] {
  return first(
    counts,
    limit,
    ([a, x], [b, y]) => y.objects - x.objects || y.violations - x.violations || (a < b ? -1 : 1),
  );
}
