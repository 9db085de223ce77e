/** Runs tests of the Kyverno CLI on what ShieldX makes of their policies. */
import { isDeepStrictEqual } from "node:util";
import { type Imported, type ImportedPolicy, importPolicies, type ObjectName } from "../foreign/index.ts";
import { at, isPlain, textAt } from "../foreign/plain.ts";
import { type DefinedResources, definedResources } from "../offline/resource-of.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { importProblem, type ReadObjects, type RunEnvironment } from "./gatekeeper-run.ts";
import { HeldPolicies, type SetSaid } from "./held.ts";
import type { KyvernoResult, KyvernoTest } from "./kyverno-test.ts";
import { KyvernoValues } from "./kyverno-values.ts";
import { type ForeignOutcome, failed, noVerdict, passed, type Said } from "./outcome.ts";
import { requestFor } from "./request.ts";

/** A test with its policies, which may have to be compiled before it runs. */
export interface PreparedKyvernoTest {
  readonly test: KyvernoTest;
  readonly imported: Imported;
  /** Objects of the files that hold policies, as they stand there. */
  readonly policies: readonly unknown[];
  readonly resources: readonly unknown[];
  readonly values: KyvernoValues;
  readonly defined: DefinedResources;
  /** Files that cannot be read. */
  readonly problem: string | undefined;
}

export function prepareKyvernoTest(test: KyvernoTest, read: ReadObjects): PreparedKyvernoTest {
  const problems: string[] = [];
  const all = (files: readonly string[]): unknown[] =>
    files.flatMap((file) => {
      const found = read(file);
      if (typeof found !== "string") return found;
      problems.push(found);
      return [];
    });
  const policies = all(test.policies);
  const resources = all(test.resources);
  const values = new KyvernoValues(test, read);
  const around = [...all(test.paramResources), ...values.clusterObjects];
  const objects = [...policies, ...missingBindings(policies), ...around, ...resources];
  return {
    test,
    imported: importPolicies({ objects }),
    policies,
    resources,
    values,
    defined: definedResources([...around, ...resources]),
    problem: problems[0],
  };
}

const bindingKinds: ReadonlyMap<string, string> = new Map([
  ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
  ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"],
]);

/** The Kyverno CLI holds policies without a binding against everything. */
function missingBindings(policies: readonly unknown[]): unknown[] {
  return policies.flatMap((policy) => {
    const kind = bindingKinds.get(textAt(policy, "kind") ?? "");
    const name = textAt(policy, "metadata", "name");
    const isBound = policies.some(
      (object) => textAt(object, "kind") === kind && textAt(object, "spec", "policyName") === name,
    );
    if (kind === undefined || isBound) return [];
    const actions = kind.startsWith("Validating") ? { validationActions: ["Deny"] } : {};
    const apiVersion = textAt(policy, "apiVersion");
    return [{ apiVersion, kind, metadata: { name }, spec: { policyName: name, ...actions } }];
  });
}

export function runKyvernoTest(
  prepared: PreparedKyvernoTest,
  read: ReadObjects,
  environment: RunEnvironment,
): ForeignOutcome[] {
  const { test } = prepared;
  const outcomes = test.results.flatMap((result) => runResult(result, prepared, read, environment));
  if (test.checks.length === 0) return outcomes;
  const name = `${test.name}/checks`;
  const said = noVerdict(
    "checks are assertions in kyverno-json's language: write results instead",
    "checks in kyverno-json's language",
  );
  return [...outcomes, { policy: "", name, ...said, tookMs: 0 }];
}

function runResult(
  result: KyvernoResult,
  prepared: PreparedKyvernoTest,
  read: ReadObjects,
  environment: RunEnvironment,
): ForeignOutcome[] {
  const { test, resources } = prepared;
  const wanted = result.resources.length > 0 ? result.resources : [undefined];
  return wanted.flatMap((wantedName) => {
    const found = resources.filter((resource) => isMeant(resource, wantedName, result));
    const title = (resource: unknown): string =>
      [test.name, result.rule, result.kind, nameOf(resource) ?? wantedName]
        .filter((part) => part !== undefined)
        .join("/");
    const timed = (resource: unknown, run: () => Said): ForeignOutcome => {
      const startedAt = environment.monotonicNow();
      const said = run();
      const tookMs = environment.monotonicNow() - startedAt;
      return { policy: result.policy, name: `${title(resource)}: ${result.result}`, ...said, tookMs };
    };
    const problem = problemBefore(result, prepared);
    if (problem !== undefined) return [timed(found[0], () => problem)];
    if (found.length === 0)
      return [
        timed(undefined, () =>
          noVerdict("no such resource is among those of the test: correct its name or kind"),
        ),
      ];
    return found.map((resource) =>
      timed(resource, () => runOne(resource, result, prepared, read, environment)),
    );
  });
}

function nameOf(resource: unknown): string | undefined {
  const name = textAt(resource, "metadata", "name");
  const namespace = textAt(resource, "metadata", "namespace");
  return name === undefined || namespace === undefined ? name : `${namespace}/${name}`;
}

function isMeant(resource: unknown, wanted: string | undefined, { kind, namespace }: KyvernoResult): boolean {
  if (kind !== undefined && textAt(resource, "kind") !== kind) return false;
  if (namespace !== undefined && textAt(resource, "metadata", "namespace") !== namespace) return false;
  return (
    wanted === undefined || wanted === textAt(resource, "metadata", "name") || wanted === nameOf(resource)
  );
}

/** Why a result cannot be told at all. */
function problemBefore(result: KyvernoResult, prepared: PreparedKyvernoTest): Said | undefined {
  const { test, problem } = prepared;
  if (problem !== undefined) return noVerdict(problem);
  if (test.jsonPayloads.length > 0)
    return noVerdict("policies on any JSON are not for an API server", "JSON payloads");
  if (test.httpPayloads.length > 0)
    return noVerdict("requests of HTTP and Envoy are not for an API server", "HTTP and Envoy requests");
  if (test.targetResources.length > 0)
    return noVerdict("policies that change other objects than the one of the request", "mutateExisting");
  if (result.generatedResource !== undefined)
    return noVerdict("policies that make other objects are not carried over", "GeneratingPolicy");
  const policy = policyNamed(result.policy, prepared);
  if (policy === undefined) return noVerdict("no such policy is among those of the test: correct its name");
  return undefined;
}

function policyNamed(name: string, { policies }: PreparedKyvernoTest): unknown {
  return policies.find((policy) => nameOf(policy) === name || textAt(policy, "metadata", "name") === name);
}

/** What ShieldX made of one policy, and what there was to say of it. */
function importedOf(policy: unknown, { policies, notes, left }: Imported): Imported {
  const isIt = ({ kind, name, namespace }: ObjectName): boolean =>
    kind === textAt(policy, "kind") &&
    name === textAt(policy, "metadata", "name") &&
    namespace === textAt(policy, "metadata", "namespace");
  return {
    policies: policies.filter(({ from }: ImportedPolicy) => from.some(isIt)),
    notes: notes.filter(({ source }) => isIt(source)),
    left: left.filter(isIt),
  };
}

function runOne(
  resource: unknown,
  result: KyvernoResult,
  prepared: PreparedKyvernoTest,
  read: ReadObjects,
  environment: RunEnvironment,
): Said {
  const { test, values, defined, resources } = prepared;
  const imported = importedOf(policyNamed(result.policy, prepared), prepared.imported);
  if (test.exceptions.length > 0 && imported.policies.length > 0)
    return noVerdict("PolicyExceptions are not carried over: write ShieldExceptions", "PolicyException");
  const held = new HeldPolicies(imported.policies, environment);
  const problem = importProblem(imported, held);
  if (problem !== undefined) return problem;
  const request = requestOf(resource, result, values, defined);
  if (typeof request === "string") return noVerdict(request);
  const said = held.hold(request, {
    objects: [...values.clusterObjects, ...resources],
    namespaces: values.namespaces,
    now: environment.now,
  });
  return verdictOf(said, resource, result, read, imported);
}

function requestOf(
  resource: unknown,
  { policy, operation: asked }: KyvernoResult,
  values: KyvernoValues,
  defined: DefinedResources,
): AdmissionRequestLike | string {
  const request = requestFor(resource, defined);
  if (typeof request === "string") return request;
  const operation = asked ?? values.operation(policy, request.name ?? "") ?? "CREATE";
  const sub = values.subresource(request.kind.kind);
  const about =
    sub === undefined
      ? {}
      : { resource: { ...request.resource, resource: sub.resource }, subResource: sub.subresource };
  const { userInfo } = values;
  if (operation === "DELETE")
    return { ...request, ...about, operation, userInfo, object: null, oldObject: resource };
  return { ...request, ...about, operation, userInfo, oldObject: operation === "UPDATE" ? resource : null };
}

function verdictOf(
  { policies, mutated }: SetSaid,
  resource: unknown,
  result: KyvernoResult,
  read: ReadObjects,
  imported: Imported,
): Said {
  const isMatched = policies.some((said) => said.isMatched);
  const problem = policies.find((said) => said.problem !== undefined)?.problem;
  const violations = policies.flatMap((said) => said.violations);
  const status =
    problem !== undefined ? "error" : violations.length > 0 ? "fail" : isMatched ? "pass" : "skip";
  const came =
    problem ??
    (violations.length > 0
      ? violations.join("; ")
      : isMatched
        ? "nothing is wrong with it"
        : "the policy is not about it");
  const isWanted = status === result.result || (status === "fail" && result.result === "warn");
  if (!isWanted) {
    const lost = imported.notes.find(({ severity }) => severity === "lost");
    const why = `expected ${result.result}, but it is ${status}: ${came}`;
    if (lost !== undefined) return noVerdict(`${why} (${lost.path}: ${lost.message})`, lost.message);
    return status === "error" ? noVerdict(why) : failed(why, isMatched);
  }
  const { patchedResources } = result;
  if (patchedResources === undefined) return passed(came, isMatched);
  return saidOfPatched(mutated ?? resource, patchedResources, read, isMatched);
}

function saidOfPatched(object: unknown, file: string, read: ReadObjects, isMatched: boolean): Said {
  const found = read(file);
  if (typeof found === "string") return noVerdict(found);
  const expected = found.find(
    (each) => textAt(each, "kind") === textAt(object, "kind") && nameOf(each) === nameOf(object),
  );
  if (expected === undefined) return noVerdict(`${file} holds no such object`);
  if (isDeepStrictEqual(tidy(expected), tidy(object))) return passed("it is as it is to be", isMatched);
  return failed(`it is not as in ${file}: ${JSON.stringify(tidy(object))}`, isMatched);
}

/** What says nothing does not count, as in Kyverno's comparison. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).filter(([key]) => at(value, key) !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, tidy(item)]));
}
