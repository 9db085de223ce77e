import type { ImportedPolicy } from "../foreign/index.ts";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import { isNamespace } from "../offline/context.ts";
import { inventoryInFiles } from "../offline/inventory.ts";
import { ParametersInFiles } from "../offline/parameters.ts";
import { definedResources } from "../offline/resource-of.ts";
import { type CompiledPolicy, type CompileEnvironment, compilePolicy } from "../policy-set/compile.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import { nameOf } from "../policy-set/exceptions.ts";
import { labelsOf } from "../policy-set/match.ts";
import { PolicySet } from "../policy-set/policy-set.ts";
import { type AdmissionRequestLike, neverJudgedNamespaces } from "../policy-set/request.ts";
import type { Labels } from "../policy-set/selector.ts";
import type { Finding, Verdict } from "../policy-set/verdict.ts";

/** What there is beside the object that is judged. */
export interface Surroundings {
  /** Objects that policies look at: parameters, the inventory, namespaces, definitions of kinds. */
  readonly objects: readonly unknown[];
  /** Labels by namespace, besides those of namespaces among the objects. */
  readonly namespaces?: ReadonlyMap<string, Labels>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What one policy says of one request. */
export interface PolicySaid {
  readonly policy: string;
  readonly isMatched: boolean;
  /** Of each rule that is broken. */
  readonly violations: readonly string[];
  /** Why it came to no verdict. */
  readonly problem?: string | undefined;
  /** What it would have needed for one, in a few words. */
  readonly lacks?: string | undefined;
}

export interface SetSaid {
  readonly policies: readonly PolicySaid[];
  /** The object as the policies' mutations make it; undefined where they change nothing. */
  readonly mutated: unknown;
}

/** For one request, in milliseconds: a test is no request that somebody waits for, but must end. */
const DEADLINE_MS = 5_000;

/** Where an object without a namespace goes. */
export const DEFAULT_NAMESPACE = "default";

/**
 * Imported policies as if each denied, whatever it says and whoever would evaluate it.
 */
export class HeldPolicies {
  readonly #set: PolicySet;
  /** Why those that cannot be held cannot, by name. */
  readonly problems: ReadonlyMap<string, string>;
  readonly #params: readonly unknown[];

  constructor(imported: readonly ImportedPolicy[], environment: CompileEnvironment) {
    const problems = new Map<string, string>();
    const policies: CompiledPolicy[] = [];
    for (const { policy } of imported) {
      try {
        const compiled = compilePolicy(policy, { ...environment, evaluatesNative: true });
        policies.push({ ...compiled, admission: "deny", failurePolicy: "Fail", isEvaluatedHere: true });
      } catch (error) {
        if (!(error instanceof PolicyCompileError)) throw error;
        problems.set(policy.metadata.name, `the imported policy does not compile: ${error.message}`);
      }
    }
    this.problems = problems;
    this.#params = imported.flatMap(({ params }) => params);
    const { serverMinor } = environment;
    this.#set = new PolicySet({ policies, exceptions: [], members: [], kept: [], problems: [], serverMinor });
  }

  hold(request: AdmissionRequestLike, { objects, namespaces, now }: Surroundings): SetSaid {
    const inFiles = [...this.#params, ...objects];
    const defined = definedResources(inFiles);
    const name = request.namespace ?? "";
    const found = objects.find((object) => isNamespace(object) && nameOf(object) === name);
    const labels = {
      ...namespaces?.get(name),
      ...labelsOf(found),
      "kubernetes.io/metadata.name": name,
    };
    const namespaceObject = found ?? { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
    const context = {
      namespaceLabels: labels,
      namespaceObject,
      authorize: () => undefined,
      params: new ParametersInFiles(inFiles, defined, DEFAULT_NAMESPACE).lookUp,
      inventory: inventoryInFiles(objects, defined, DEFAULT_NAMESPACE),
      now,
      deadlineMs: DEADLINE_MS,
    };
    const mutation = this.#set.mutate(request, { ...context, types: () => typeWithoutSchema });
    const made = mutation.object === undefined ? request : { ...request, object: mutation.object };
    const verdict = this.#set.evaluate(made, context);
    const policies = this.#set.policies.map((policy) => saidBy(policy.name, request, [mutation, verdict]));
    return { policies, mutated: mutation.object };
  }
}

function saidBy(
  policy: string,
  { namespace = "" }: AdmissionRequestLike,
  verdicts: readonly Verdict[],
): PolicySaid {
  const isMatched = verdicts.some(({ matched }) => matched.includes(policy));
  const [ask] = verdicts.flatMap(({ asks }) => asks).filter((each) => each.policy === policy);
  const findings = verdicts.flatMap(({ denials }) => denials).filter((each) => each.policy === policy);
  const broken = findings.find((finding) => !isVerdict(finding));
  const violations = findings.filter(isVerdict).flatMap(violationsOf);
  const said = { policy, isMatched: isMatched || findings.length > 0, violations };
  if (ask !== undefined)
    return { ...said, problem: "it asks what only a cluster can answer", lacks: "questions to a cluster" };
  if (broken !== undefined) return { ...said, problem: broken.message, lacks: lackedBy.get(broken.code) };
  if (isMatched || !neverJudgedNamespaces.includes(namespace)) return said;
  return {
    ...said,
    problem: `ShieldX never judges namespace ${namespace}`,
    lacks: "namespaces never judged",
  };
}

const lackedBy: ReadonlyMap<Finding["code"], string> = new Map([
  ["SchemaUnknown", "lists set by ApplyConfiguration"],
  ["NotIdempotent", "mutations that do not come to rest"],
  ["ForbiddenChange", "mutations of what none may change"],
]);

function isVerdict({ code }: Finding): boolean {
  return code === "PolicyViolation" || code === "MalformedObject";
}

function violationsOf({ violations, message }: Finding): readonly string[] {
  return violations.length === 0 ? [message] : violations.map(({ detail }) => detail);
}
