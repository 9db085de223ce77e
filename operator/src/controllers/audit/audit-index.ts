import { createHash } from "node:crypto";
import { type AuditedObject, auditKey } from "./audited-object.ts";
import { type Breaks, SharedBreaks } from "./breaks.ts";
import { AuditCoverage } from "./coverage.ts";
import type { Judgement } from "./finding.ts";
import {
  DEFAULT_RESULT_LIMITS,
  type ReportResults,
  type ResultLimits,
  reportResults,
} from "./report-results.ts";
import { type Offender, type Offending, worstOffenders } from "./worst-offenders.ts";

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

/** How much a policy is broken in a namespace. */
export interface PolicyCount {
  readonly objects: number;
  readonly findings: number;
}

/** What offends in one namespace; `""` for objects that have none. */
export interface NamespaceAudit {
  readonly objects: ReadonlyMap<string, Offending>;
  readonly policies: ReadonlyMap<string, PolicyCount>;
}

/** What is different since it was asked last. */
export interface AuditChanges {
  readonly policies: readonly string[];
  /** Namespaces in which something else offends, or offends otherwise, as far as Reports tell. */
  readonly namespaces: readonly string[];
  /** Exceptions that other objects need. */
  readonly exceptions: readonly string[];
}

export interface AuditIndexOptions {
  /** Objects of which more is kept than what they break: as many as have a Report. Default none. */
  readonly mostDetailed?: number;
  readonly limits?: ResultLimits;
}

interface Namespace {
  readonly objects: Map<string, Offending>;
  readonly policies: Map<string, { objects: number; findings: number }>;
}

/**
 * What the audit knows: for each offending object, which policies it breaks and how often. Counts are exact; what is kept
 * grows with the objects, not with what is found: the words of findings are kept for those that have a Report, and
 * objects that pass cost a reference.
 *
 * A Deployment, its ReplicaSet and its Pods all offend with the same template. All of them are counted and reported
 * (each is a real object that would be refused today), but the list of worst offenders names only the topmost one,
 * which is where a person has to fix it.
 */
export class AuditIndex {
  readonly #mostDetailed: number;
  readonly #limits: ResultLimits;
  readonly #coverage = new AuditCoverage();
  readonly #shared = new SharedBreaks();
  readonly #offending = new Map<string, Offending>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #totals = new Map<string, { violating: number; findings: number }>();
  readonly #results = new Map<string, "fail" | "warn">();
  readonly #details = new Map<string, { readonly results: ReportResults; readonly digest: string }>();
  #detailed: ReadonlySet<string> = new Set();
  readonly #changedPolicies = new Set<string>();
  readonly #changedNamespaces = new Set<string>();

  constructor({ mostDetailed = 0, limits = DEFAULT_RESULT_LIMITS }: AuditIndexOptions = {}) {
    this.#mostDetailed = mostDetailed;
    this.#limits = limits;
  }

  /** Record a judgement. */
  set(object: AuditedObject, judgement: Judgement): void {
    const key = auditKey(object);
    const { findings } = judgement;
    this.#coverage.set(key, judgement);
    this.#keepDetails(key, object.namespace, judgement);
    const before = this.#offending.get(key);
    const breaks = this.#shared.take(findings);
    if (before !== undefined) this.#shared.release(before.breaks);
    if (before?.breaks !== breaks || before?.object.controllerUid !== object.controllerUid) {
      if (before !== undefined) this.#subtract(before);
      if (breaks !== undefined) this.#add({ key, object, breaks });
    }
    for (const { policy, result } of findings) this.#noteResult(policy, result);
  }

  /** The object is gone or is no longer judged. */
  delete(key: string): void {
    this.#coverage.delete(key);
    this.#details.delete(key);
    const before = this.#offending.get(key);
    if (before === undefined) return;
    this.#shared.release(before.breaks);
    this.#subtract(before);
  }

  /** Everything that is known of one policy; costs one pass over all offenders where there are any of it. */
  policy(name: string, worstLimit = 10): PolicyAudit {
    const { violating, findings } = this.#totals.get(name) ?? { violating: 0, findings: 0 };
    const worst = violating === 0 ? [] : worstOffenders(this.#offending, name, worstLimit);
    return { ...this.#coverage.of(name), findings, violating, worst };
  }

  /** How many objects of namespaces break the policy: those that can have a Report. */
  namespaced(policy: string): number {
    const all = this.#totals.get(policy)?.violating ?? 0;
    return all - (this.#namespaces.get("")?.policies.get(policy)?.objects ?? 0);
  }

  /** Everything that breaks the policy. */
  *offendersOf(policy: string): Iterable<AuditedObject> {
    if (!this.#totals.has(policy)) return;
    for (const { object, breaks } of this.#offending.values())
      if (breaks.policies.includes(policy)) yield object;
  }

  /** Of all that offends, oldest judgement first. */
  keys(): Iterable<string> {
    return this.#offending.keys();
  }

  get(key: string): Offending | undefined {
    return this.#offending.get(key);
  }

  /** How findings of the policy are reported. */
  resultOf(policy: string): "fail" | "warn" {
    return this.#results.get(policy) ?? "fail";
  }

  /** What offends, by namespace; those without an offender are not in it. */
  get namespaces(): ReadonlyMap<string, NamespaceAudit> {
    return this.#namespaces;
  }

  /** Policies that something breaks. */
  get policies(): Iterable<string> {
    return this.#totals.keys();
  }

  /** How many objects offend. */
  get size(): number {
    return this.#offending.size;
  }

  /** What the Report of the object says; undefined where that is not kept, and the object has to be judged again. */
  details(key: string): ReportResults | undefined {
    return this.#details.get(key)?.results;
  }

  /** Of these objects more is to be kept, and of no others as long as they use up all the room there is. */
  keepDetailsOf(keys: ReadonlySet<string>): void {
    this.#detailed = keys;
    for (const key of this.#details.keys()) if (!keys.has(key)) this.#details.delete(key);
  }

  /** How many objects need each exception, `namespace/name`; those that none needs are not in it. */
  get exceptions(): ReadonlyMap<string, number> {
    return this.#coverage.exceptions;
  }

  takeChanges(): AuditChanges {
    const { policies, exceptions } = this.#coverage.takeChanges();
    const changes = {
      policies: [...new Set([...policies, ...this.#changedPolicies])],
      namespaces: [...this.#changedNamespaces],
      exceptions,
    };
    this.#changedPolicies.clear();
    this.#changedNamespaces.clear();
    return changes;
  }

  #keepDetails(key: string, namespace: string, { findings }: Judgement): void {
    const before = this.#details.get(key);
    // What is not wanted yet may be in a moment: as long as there is room it need not be judged again for it.
    const isKept = this.#detailed.has(key) || before !== undefined || this.#details.size < this.#mostDetailed;
    if (findings.length === 0 || namespace === "" || !isKept) {
      this.#details.delete(key);
      return;
    }
    const results = reportResults(findings, this.#limits);
    const digest = createHash("sha256").update(JSON.stringify(results)).digest("base64");
    if (before?.digest === digest) return;
    this.#details.set(key, { results, digest });
    this.#changedNamespaces.add(namespace);
  }

  #noteResult(policy: string, result: "fail" | "warn"): void {
    const before = this.#results.get(policy);
    if (before === result) return;
    this.#results.set(policy, result);
    if (before === undefined) return;
    for (const name of this.#namespaces.keys()) this.#changedNamespaces.add(name);
  }

  #add(offending: Offending): void {
    const { key, object, breaks } = offending;
    this.#offending.set(key, offending);
    const namespace: Namespace = this.#namespaces.get(object.namespace) ?? {
      objects: new Map(),
      policies: new Map(),
    };
    this.#namespaces.set(object.namespace, namespace);
    namespace.objects.set(key, offending);
    for (const [policy, findings] of each(breaks)) {
      const total = this.#totals.get(policy) ?? { violating: 0, findings: 0 };
      total.violating++;
      total.findings += findings;
      this.#totals.set(policy, total);
      const count = namespace.policies.get(policy) ?? { objects: 0, findings: 0 };
      count.objects++;
      count.findings += findings;
      namespace.policies.set(policy, count);
      this.#changedPolicies.add(policy);
    }
    this.#changedNamespaces.add(object.namespace);
  }

  #subtract({ key, object, breaks }: Offending): void {
    this.#offending.delete(key);
    const namespace = this.#namespaces.get(object.namespace);
    namespace?.objects.delete(key);
    if (namespace?.objects.size === 0) this.#namespaces.delete(object.namespace);
    for (const [policy, findings] of each(breaks)) {
      const total = this.#totals.get(policy);
      if (total !== undefined) {
        total.violating--;
        total.findings -= findings;
        if (total.violating === 0) {
          this.#totals.delete(policy);
          this.#results.delete(policy);
        }
      }
      const count = namespace?.policies.get(policy);
      if (count !== undefined) {
        count.objects--;
        count.findings -= findings;
        if (count.objects === 0) namespace?.policies.delete(policy);
      }
      this.#changedPolicies.add(policy);
    }
    this.#changedNamespaces.add(object.namespace);
  }
}

function* each({ policies, findings }: Breaks): Iterable<readonly [policy: string, findings: number]> {
  for (const [at, policy] of policies.entries()) yield [policy, findings[at] ?? 0];
}
