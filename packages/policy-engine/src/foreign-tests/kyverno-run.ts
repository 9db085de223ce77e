/** Runs tests of the Kyverno CLI on what ShieldX makes of their policies. */
import { isDeepStrictEqual } from "node:util";
import { type Imported, type ImportedPolicy, importPolicies, type ObjectName } from "../foreign/index.ts";
import { at, isPlain, textAt } from "../foreign/plain.ts";
import { type DefinedResources, definedResources, resourceOf } from "../offline/resource-of.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { ReadObjects, RunEnvironment } from "./environment.ts";
import { DEFAULT_NAMESPACE, HeldPolicies, type SetSaid } from "./held.ts";
import { importProblem, unknownKind, unsupportedBy } from "./import-problem.ts";
import { isBinding, withBindings } from "./kyverno-bindings.ts";
import type { KyvernoResult, KyvernoTest } from "./kyverno-test.ts";
import { KyvernoValues } from "./kyverno-values.ts";
import { type ForeignOutcome, failed, noVerdict, passed, type Said, skipped } from "./outcome.ts";
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
  const policies = withBindings(all(test.policies));
  const loaded = all(test.resources);
  const values = new KyvernoValues(test, read);
  const around = [...all(test.paramResources), ...values.clusterObjects];
  const defined = definedResources([...around, ...loaded]);
  const resources = loaded.map((resource) => withNamespace(resource, defined));
  const objects = [...policies, ...around, ...resources];
  return {
    test,
    imported: importPolicies({ objects }),
    policies,
    resources,
    values,
    defined,
    problem: problems[0],
  };
}

/** As an API server has it by the time policies see it, and the Kyverno CLI too. */
function withNamespace(resource: unknown, defined: DefinedResources): unknown {
  const metadata = at(resource, "metadata");
  const isPlaced = textAt(metadata, "namespace") !== undefined;
  if (isPlaced || !isPlain(resource) || resourceOf(resource, defined)?.isNamespaced !== true) return resource;
  return { ...resource, metadata: { ...(isPlain(metadata) ? metadata : {}), namespace: DEFAULT_NAMESPACE } };
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
    const named = resources.filter((resource) => isMeant(resource, wantedName, result));
    const ofKind = named.filter((resource) => textAt(resource, "kind") === result.kind);
    // Kyverno goes by names alone; a kind tells only those of one name apart.
    const found = ofKind.length > 0 ? ofKind : named;
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

function isMeant(resource: unknown, wanted: string | undefined, { namespace }: KyvernoResult): boolean {
  const name = textAt(resource, "metadata", "name");
  const own = textAt(resource, "metadata", "namespace") ?? DEFAULT_NAMESPACE;
  if (namespace !== undefined && own !== namespace) return false;
  return wanted === undefined || wanted === name || wanted === `${own}/${name}`;
}

/** Why a result cannot be told at all. */
function problemBefore(result: KyvernoResult, prepared: PreparedKyvernoTest): Said | undefined {
  const { test, problem } = prepared;
  const policy = policyNamed(result.policy, prepared);
  if (policy === undefined) return noVerdict("no such policy is among those of the test: correct its name");
  const unknown = importedOf(policy, prepared.policies, prepared.imported).left[0];
  if (unknown !== undefined) return unknownKind(unknown);
  const kind = textAt(policy, "kind") ?? "";
  // Where such a policy carries over, only a registry can say what it decides.
  if (kind.endsWith("ImageValidatingPolicy"))
    return noVerdict("who signed an image only its registry tells", kind);
  if (problem !== undefined) return noVerdict(problem);
  if (test.jsonPayloads.length > 0)
    return noVerdict("policies on any JSON are not for an API server", "JSON payloads");
  if (test.httpPayloads.length > 0)
    return noVerdict("requests of HTTP and Envoy are not for an API server", "HTTP and Envoy requests");
  if (test.targetResources.length > 0)
    return noVerdict("policies that change other objects than the one of the request", "mutateExisting");
  if (result.isAboutGenerated)
    return noVerdict("policies that make other objects are not carried over", "GeneratingPolicy");
  return undefined;
}

function policyNamed(name: string, { policies }: PreparedKyvernoTest): unknown {
  const bare = name.slice(name.lastIndexOf("/") + 1);
  const named = policies.filter(
    (policy) => textAt(policy, "metadata", "name") === bare && !isBinding(policy),
  );
  return named.find((policy) => nameOf(policy) === name) ?? named[0];
}

/** What ShieldX made of one policy, and what there was to say of it. */
function importedOf(
  policy: unknown,
  objects: readonly unknown[],
  { policies, notes, left }: Imported,
): Imported {
  const isIt = ({ kind, name, namespace }: ObjectName): boolean =>
    kind === textAt(policy, "kind") &&
    name === textAt(policy, "metadata", "name") &&
    namespace === textAt(policy, "metadata", "namespace");
  const bindings = objects.filter(
    (object) =>
      isBinding(object) && textAt(object, "spec", "policyName") === textAt(policy, "metadata", "name"),
  );
  const isOfIt = (source: ObjectName): boolean =>
    isIt(source) || bindings.some((binding) => textAt(binding, "metadata", "name") === source.name);
  return {
    policies: policies.filter(({ from }: ImportedPolicy) => from.some(isIt)),
    notes: notes.filter(({ source }) => isOfIt(source)),
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
  const imported = importedOf(policyNamed(result.policy, prepared), prepared.policies, prepared.imported);
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
  return verdictOf(said, resource, result, { read, defined }, imported);
}

function requestOf(
  resource: unknown,
  { operation: asked }: KyvernoResult,
  values: KyvernoValues,
  defined: DefinedResources,
): AdmissionRequestLike | string {
  const request = requestFor(resource, defined);
  if (typeof request === "string") return request;
  const operation = asked ?? values.operation ?? "CREATE";
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
  files: { readonly read: ReadObjects; readonly defined: DefinedResources },
  imported: Imported,
): Said {
  const isMatched = policies.some((said) => said.isMatched);
  const [status, came] = statusOf(policies);
  const { patchedResources } = result;
  if (patchedResources !== undefined && isMatched && status !== "error") {
    const problem = patchProblem(mutated ?? resource, patchedResources, files, isMatched);
    if (problem !== undefined) return problem;
  }
  const isWanted =
    status === result.result ||
    (status === "fail" && result.result === "warn") ||
    // Kyverno calls it excluded, and takes that for a pass.
    (status === "skip" && result.result === "pass");
  if (isWanted) return passed(came, isMatched);
  const why = `expected ${result.result}, but it is ${status}: ${came}`;
  const lacking = policies.find((said) => said.lacks !== undefined)?.lacks ?? unsupportedBy(imported);
  if (lacking !== undefined) return noVerdict(`${why} (${lacking})`, lacking);
  return status === "error" ? noVerdict(why) : failed(why, isMatched);
}

function statusOf(policies: SetSaid["policies"]): readonly [status: string, came: string] {
  const problem = policies.find((said) => said.problem !== undefined)?.problem;
  if (problem !== undefined) return ["error", problem];
  const violations = policies.flatMap((said) => said.violations);
  if (violations.length > 0) return ["fail", violations.join("; ")];
  return policies.some((said) => said.isMatched)
    ? ["pass", "nothing is wrong with it"]
    : ["skip", "the policy is not about it"];
}

/** Undefined where the object is as it is to be. */
function patchProblem(
  object: unknown,
  file: string,
  { read, defined }: { readonly read: ReadObjects; readonly defined: DefinedResources },
  isMatched: boolean,
): Said | undefined {
  const found = read(file);
  if (typeof found === "string") return noVerdict(found);
  const isSame = (each: unknown): boolean =>
    textAt(each, "kind") === textAt(object, "kind") &&
    textAt(each, "metadata", "name") === textAt(object, "metadata", "name") &&
    (textAt(each, "metadata", "namespace") ?? DEFAULT_NAMESPACE) ===
      (textAt(object, "metadata", "namespace") ?? DEFAULT_NAMESPACE);
  const expected = found.find(isSame);
  if (expected === undefined)
    return { ...skipped, message: `${file} holds no such object: nothing is compared, as with Kyverno` };
  const placed = withNamespace(expected, defined);
  if (isDeepStrictEqual(tidy(placed), tidy(object))) return undefined;
  return failed(`it is not as in ${file}: ${JSON.stringify(tidy(object))}`, isMatched);
}

/** What says nothing does not count, as in Kyverno's comparison. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return orNothing(value.map(tidy).filter((item) => item !== undefined));
  if (!isPlain(value)) return value ?? undefined;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, tidy(item)]);
  const kept = entries.filter(([, item]) => item !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

function orNothing(items: readonly unknown[]): readonly unknown[] | undefined {
  return items.length === 0 ? undefined : items;
}
