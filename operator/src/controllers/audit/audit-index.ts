/** An object the audit judged, as far as its findings and reports need to name it. */
export interface AuditedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** uid of the controller owner reference, when there is one. */
  readonly controllerUid: string | undefined;
}

export interface AuditViolation {
  readonly checkId: string;
  readonly detail: string;
}

/** One policy's judgement on one object that offends. */
export interface AuditFinding {
  readonly policy: string;
  readonly message: string;
  readonly violations: readonly AuditViolation[];
}

export interface Offender {
  readonly object: AuditedObject;
  readonly checks: readonly string[];
  readonly message: string;
  /** Objects of this controller (at any depth) that offend in the same way; 0 for a Pod of its own. */
  readonly dependants: number;
}

/** What was found about one object. */
export interface Judgement {
  /** Policies held against it. */
  readonly matched: readonly string[];
  /** How many of them came to no verdict. */
  readonly errors: number;
  readonly findings: readonly AuditFinding[];
  /** Policies it breaks by leave of an exception. */
  readonly exempted: readonly string[];
  /** Exceptions, `namespace/name`, that set something aside. */
  readonly exceptions: readonly string[];
}

export interface PolicyAudit {
  /** Objects the policy was held against. */
  readonly checked: number;
  /** Objects that break it by leave of an exception. */
  readonly exempted: number;
  /** Single findings; one object may have several. */
  readonly findings: number;
  /** Objects that offend, dependants included. */
  readonly violating: number;
  /** Offenders that no other offender controls, worst first. */
  readonly worst: readonly Offender[];
}

interface Coverage {
  readonly text: string;
  readonly matched: readonly string[];
  readonly exempted: readonly string[];
  readonly exceptions: readonly string[];
}

interface Entry {
  readonly object: AuditedObject;
  readonly findings: readonly AuditFinding[];
}

/**
 * What the audit knows: for each offending object, who refuses it and why. Objects that pass take no room.
 *
 * A Deployment, its ReplicaSet and its Pods all offend with the same template. All of them are counted and reported
 * (each is a real object that would be refused today), but the list of worst offenders names only the topmost one,
 * which is where a person has to fix it.
 */
export class AuditIndex {
  readonly #entries = new Map<string, Entry>();
  readonly #byPolicy = new Map<string, Map<string, { object: AuditedObject; finding: AuditFinding }>>();
  /** Judgements without their findings; equal ones share one object, so that a clean object costs a reference. */
  readonly #judged = new Map<string, Coverage>();
  readonly #coverages = new Map<string, Coverage>();
  readonly #counters = new Map<string, { checked: number; exempted: number }>();
  readonly #exceptions = new Map<string, number>();
  readonly #changedExceptions = new Set<string>();
  readonly #changedPolicies = new Set<string>();
  readonly #changedObjects = new Set<string>();

  /** Record a judgement. */
  set(object: AuditedObject, { matched, findings, exempted, exceptions }: Judgement): void {
    const key = object.uid;
    this.#cover(key, matched, exempted, exceptions);
    const before = this.#entries.get(key);
    if (before !== undefined && sameFindings(before.findings, findings)) return;
    if (before === undefined && findings.length === 0) return;
    this.#forget(key);
    if (findings.length > 0) {
      this.#entries.set(key, { object, findings });
      for (const finding of findings) {
        const objects = this.#byPolicy.get(finding.policy) ?? new Map();
        objects.set(key, { object, finding });
        this.#byPolicy.set(finding.policy, objects);
        this.#changedPolicies.add(finding.policy);
      }
    }
    this.#changedObjects.add(key);
  }

  /** The object is gone or is no longer judged. */
  delete(uid: string): void {
    this.#cover(uid, [], [], []);
    if (!this.#entries.has(uid)) return;
    this.#forget(uid);
    this.#changedObjects.add(uid);
  }

  /** Everything that is known of one policy; costs one pass over its offenders. */
  policy(name: string, worstLimit = 10): PolicyAudit {
    const found = this.#byPolicy.get(name);
    const { checked, exempted } = this.#counters.get(name) ?? { checked: 0, exempted: 0 };
    if (found === undefined) return { checked, exempted, findings: 0, violating: 0, worst: [] };
    const dependants = new Map<string, number>();
    const roots: Root[] = [];
    for (const item of found.values()) {
      const root = rootOf(item.object, found);
      if (root === item.object.uid) roots.push(item);
      else dependants.set(root, (dependants.get(root) ?? 0) + 1);
    }
    const worst = largest(roots, worstLimit, (a, b) => worstFirst(a, b, dependants)).map(
      ({ object, finding }) => ({
        object,
        checks: [...new Set(finding.violations.map((violation) => violation.checkId))].sort(),
        message: finding.message,
        dependants: dependants.get(object.uid) ?? 0,
      }),
    );
    let findings = 0;
    for (const { finding } of found.values()) findings += Math.max(1, finding.violations.length);
    return { checked, exempted, findings, violating: found.size, worst };
  }

  get(
    uid: string,
  ): { readonly object: AuditedObject; readonly findings: readonly AuditFinding[] } | undefined {
    return this.#entries.get(uid);
  }

  /** uids of all offending objects, oldest judgement first. */
  uids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many objects need each exception, `namespace/name`; those that none needs are not in it. */
  get exceptions(): ReadonlyMap<string, number> {
    return this.#exceptions;
  }

  /** Policies and objects whose findings changed since the last call, and exceptions that other objects need. */
  takeChanges(): { policies: string[]; objects: string[]; exceptions: string[] } {
    const changes = {
      policies: [...this.#changedPolicies],
      objects: [...this.#changedObjects],
      exceptions: [...this.#changedExceptions],
    };
    this.#changedExceptions.clear();
    this.#changedPolicies.clear();
    this.#changedObjects.clear();
    return changes;
  }

  #cover(
    uid: string,
    matched: readonly string[],
    exempted: readonly string[],
    exceptions: readonly string[],
  ): void {
    const before = this.#judged.get(uid);
    const text = JSON.stringify([matched, exempted, exceptions]);
    if (before?.text === text) return;
    const after = this.#coverages.get(text) ?? { text, matched, exempted, exceptions };
    for (const [coverage, by] of [[before, -1] as const, [after, 1] as const]) {
      for (const policy of coverage?.matched ?? []) this.#count(policy).checked += by;
      for (const policy of coverage?.exempted ?? []) this.#count(policy).exempted += by;
      for (const exception of coverage?.exceptions ?? []) this.#countException(exception, by);
    }
    if (matched.length === 0 && exempted.length === 0) {
      this.#judged.delete(uid);
      return;
    }
    // There are few different combinations; should there ever be many, sharing starts over.
    if (this.#coverages.size > 1000) this.#coverages.clear();
    this.#coverages.set(text, after);
    this.#judged.set(uid, after);
  }

  #countException(exception: string, by: number): void {
    const count = (this.#exceptions.get(exception) ?? 0) + by;
    if (count === 0) this.#exceptions.delete(exception);
    else this.#exceptions.set(exception, count);
    this.#changedExceptions.add(exception);
  }

  #count(policy: string): { checked: number; exempted: number } {
    const counter = this.#counters.get(policy) ?? { checked: 0, exempted: 0 };
    this.#counters.set(policy, counter);
    this.#changedPolicies.add(policy);
    return counter;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    for (const finding of entry.findings) {
      const objects = this.#byPolicy.get(finding.policy);
      objects?.delete(key);
      if (objects?.size === 0) this.#byPolicy.delete(finding.policy);
      this.#changedPolicies.add(finding.policy);
    }
  }
}

function rootOf(object: AuditedObject, found: ReadonlyMap<string, { object: AuditedObject }>): string {
  let current = object;
  // Owner references can be edited into a circle; nothing real is deeper than CronJob, Job, Pod.
  for (let depth = 0; depth < 8; depth++) {
    const owner = current.controllerUid === undefined ? undefined : found.get(current.controllerUid)?.object;
    if (owner === undefined || owner.uid === object.uid) return current.uid;
    current = owner;
  }
  return object.uid;
}

interface Root {
  readonly object: AuditedObject;
  readonly finding: AuditFinding;
}

function worstFirst(a: Root, b: Root, dependants: ReadonlyMap<string, number>): number {
  const byFindings = b.finding.violations.length - a.finding.violations.length;
  if (byFindings !== 0) return byFindings;
  const byDependants = (dependants.get(b.object.uid) ?? 0) - (dependants.get(a.object.uid) ?? 0);
  if (byDependants !== 0) return byDependants;
  const nameOf = ({ object }: Root) => `${object.namespace}/${object.kind}/${object.name}`;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

/** The first `count` items in order, without sorting all of them: there may be 100,000 and ten are wanted. */
function largest<T>(items: readonly T[], count: number, compare: (a: T, b: T) => number): T[] {
  const found: T[] = [];
  for (const item of items) {
    const last = found.at(-1);
    if (found.length >= count && last !== undefined && compare(item, last) > 0) continue;
    const at = found.findIndex((other) => compare(item, other) < 0);
    found.splice(at < 0 ? found.length : at, 0, item);
    if (found.length > count) found.pop();
  }
  return found;
}

function sameFindings(a: readonly AuditFinding[], b: readonly AuditFinding[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
