import { DEFAULT_NAMESPACE, type ShieldException, type ShieldPolicy } from "@shieldx/crds";
import { type Explanation, explainPolicy } from "../explain/index.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import { compileException, nameOf } from "../policy-set/exceptions.ts";
import type { PolicySetProblem } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import { contextOf, createRequest, isNamespace, labelsOfNamespaces } from "./context.ts";
import { inventoryInFiles } from "./inventory.ts";
import { ParametersInFiles } from "./parameters.ts";
import { type DefinedResources, definedResources } from "./resource-of.ts";

/** What there is to explain: an object as it would be created, or a whole request. */
export type ExplainedSubject = { readonly object: unknown } | { readonly request: AdmissionRequestLike };

export interface ExplainRequests {
  readonly subjects: readonly ExplainedSubject[];
  readonly policies: readonly ShieldPolicy[];
  readonly exceptions: readonly ShieldException[];
  /** What else there is: parameters, namespaces, definitions of kinds, objects that policies in Rego look at. */
  readonly known: readonly unknown[];
  /** Kinds that are known otherwise, by `group/kind`. */
  readonly resources?: DefinedResources | undefined;
  /** Where ShieldX is, which no policy reaches. */
  readonly namespace?: string | undefined;
  /** Changes the request that is made of an object: who asks, and what for. */
  readonly as?: ((request: AdmissionRequestLike) => AdmissionRequestLike) | undefined;
  readonly serverMinor: number;
  readonly rego?: RegoLookup | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface ExplainedRequest {
  readonly request: AdmissionRequestLike;
  readonly explanations: readonly Explanation[];
}

export interface ExplainReport {
  /** One for each subject; undefined for what does not say what it is. */
  readonly requests: readonly (ExplainedRequest | undefined)[];
  /** Policies and exceptions that do not compile. */
  readonly problems: readonly PolicySetProblem[];
}

/** Says of each request what each policy makes of it and why, with what the files hold in the place of a cluster. */
export function explainRequests(input: ExplainRequests): ExplainReport {
  const { namespace = DEFAULT_NAMESPACE, exceptions, subjects, as = (request) => request } = input;
  const { policies, problems } = buildPolicySet({
    ...input,
    neverJudged: [namespace],
    evaluatesNative: true,
  });
  const broken = new Set(problems.filter(({ kind }) => kind === "ShieldException").map(({ name }) => name));
  const compiled = exceptions
    .filter(({ metadata }) => !broken.has(`${metadata.namespace ?? "default"}/${metadata.name}`))
    .map(compileException);
  const objects = subjects.flatMap((subject) => ("object" in subject ? [subject.object] : []));
  const inFiles = [...input.known, ...objects];
  const defined = new Map([...(input.resources ?? []), ...definedResources(inFiles)]);
  const lookedAt = {
    params: new ParametersInFiles(inFiles, defined, defaultNamespace).lookUp,
    inventory: inventoryInFiles(inFiles, defined, defaultNamespace),
  };
  const namespaces = new Map(inFiles.filter(isNamespace).map((object) => [nameOf(object), object]));
  const labels = labelsOfNamespaces(inFiles);
  const requests = subjects.map((subject) => {
    const made = "object" in subject ? createRequest(subject.object, defined, defaultNamespace) : undefined;
    const request = "request" in subject ? subject.request : made && as(made);
    if (request === undefined) return undefined;
    const told = contextOf(request, labels, lookedAt, input.now);
    const namespaceObject = namespaces.get(request.namespace ?? "") ?? told.namespaceObject;
    const context = { ...told, namespaceObject };
    const explanations = policies.map((policy) =>
      explainPolicy({ policy, exceptions: compiled, request, context, neverJudged: [namespace] }),
    );
    return { request, explanations };
  });
  return { requests, problems };
}

const defaultNamespace = "default";
