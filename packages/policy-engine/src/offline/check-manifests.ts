import { DEFAULT_NAMESPACE, type ShieldException, type ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet } from "../policy-set/build.ts";
import { mentions } from "../policy-set/engines/cel.ts";
import { paramReferences } from "../policy-set/params.ts";
import type { PolicySetProblem } from "../policy-set/policy-set.ts";
import type { Labels } from "../policy-set/selector.ts";
import type { Exempted, Finding, Verdict } from "../policy-set/verdict.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import { answersTo } from "./answers.ts";
import { contextOf, createRequest, labelsOfNamespaces } from "./context.ts";
import { inventoryInFiles } from "./inventory.ts";
import { ParametersInFiles } from "./parameters.ts";
import { definedResources } from "./resource-of.ts";

/** An object read from a file, and where it was found. */
export interface ManifestToCheck {
  readonly object: unknown;
  readonly file?: string;
  /** 1-based, of the YAML document within the file. */
  readonly document?: number;
  /** 1-based, where the object begins. */
  readonly line?: number;
}

export interface OfflineCheck {
  readonly objects: readonly ManifestToCheck[];
  readonly policies: readonly ShieldPolicy[];
  readonly exceptions?: readonly ShieldException[];
  /** Objects that policies may take parameters from besides `objects`; they are not checked themselves. */
  readonly parameters?: readonly unknown[];
  /** Labels by namespace, for policies that choose namespaces by label. Namespaces among `objects` are known anyway. */
  readonly namespaces?: Readonly<Record<string, Labels>>;
  /** Where a namespaced object without a namespace will go. Default `default`. */
  readonly defaultNamespace?: string;
  /** Minor version of the cluster the objects are meant for; what `latest` means. */
  readonly serverMinor: number;
  /** What has been compiled of policies in Rego; left out, none of them can be checked. */
  readonly rego?: RegoLookup | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface LocatedFinding extends Finding {
  readonly manifest: ManifestToCheck;
}

export interface OfflineReport {
  readonly findings: readonly LocatedFinding[];
  readonly exempted: readonly (Exempted & { readonly manifest: ManifestToCheck })[];
  /** Objects that at least one policy was held against. */
  readonly checked: number;
  readonly skipped: readonly SkippedObject[];
  /**
   * Policies that cannot be evaluated without a cluster: no file holds their parameters, they look at who asks, or they
   * merge lists.
   */
  readonly notOffline: readonly string[];
  /** Policies and exceptions that do not compile. */
  readonly problems: readonly PolicySetProblem[];
}

export interface SkippedObject {
  readonly manifest: ManifestToCheck;
  readonly reason: "NotAnObject" | "NoPolicyApplies";
}

/**
 * Tells how the cluster would answer if each object were created now, without asking it.
 *
 * An object is judged as the policies' own mutations make it of its file: what other mutating webhooks or defaults would
 * change is not known here. Names of users are not known either, so exemptions by user name do not apply.
 */
export function checkManifests(check: OfflineCheck): OfflineReport {
  const set = buildPolicySet({
    policies: check.policies,
    exceptions: check.exceptions ?? [],
    serverMinor: check.serverMinor,
    neverJudged: [DEFAULT_NAMESPACE],
    evaluatesNative: true,
    rego: check.rego,
  });
  const manifests = check.objects.map(({ object }) => object);
  const inFiles = [...(check.parameters ?? []), ...manifests];
  const defined = definedResources(inFiles);
  const defaultNamespace = check.defaultNamespace ?? "default";
  const parameters = new ParametersInFiles(inFiles, defined, defaultNamespace);
  const inventory = inventoryInFiles(inFiles, defined, defaultNamespace);
  const withoutParameters = new Set(
    paramReferences(set.policies, "requests").flatMap(({ policy, reference }) =>
      parameters.has(reference) ? [] : [policy],
    ),
  );
  const namespaces = labelsOfNamespaces(
    check.objects.map(({ object }) => object),
    check.namespaces,
  );
  const findings: LocatedFinding[] = [];
  const exempted: (Exempted & { manifest: ManifestToCheck })[] = [];
  const skipped: SkippedObject[] = [];
  const asking = new Set<string>();
  let checked = 0;
  for (const manifest of check.objects) {
    const request = createRequest(manifest.object, defined, defaultNamespace);
    if (request === undefined) {
      skipped.push({ manifest, reason: "NotAnObject" });
      continue;
    }
    const context = contextOf(request, namespaces, { params: parameters.lookUp, inventory }, check.now);
    const answers = answersTo(request, set, context);
    for (const { policy } of answers.flatMap(({ asks }) => asks)) asking.add(policy);
    const isJudged = answers.some(({ matched }) => matched.some((policy) => !withoutParameters.has(policy)));
    if (!isJudged) skipped.push({ manifest, reason: "NoPolicyApplies" });
    else checked++;
    for (const finding of answers.flatMap(findingsOf)) {
      if (withoutParameters.has(finding.policy)) continue;
      if (finding.code === "SchemaUnknown") asking.add(finding.policy);
      else findings.push({ ...finding, manifest });
    }
    for (const exemption of answers.flatMap((answer) => answer.exempted))
      exempted.push({ ...exemption, manifest });
  }
  const notOffline = set.policies
    .filter(({ name, isEvaluatedHere, source }) => {
      if (!isEvaluatedHere || withoutParameters.has(name)) return true;
      return asking.has(name) || mentions(source.spec, /\buserInfo\b/);
    })
    .map(({ name }) => name);
  const [unfetched, problems] = partition(set.problems, ({ error }) => error.code === "BundleFailed");
  return {
    findings,
    exempted,
    checked,
    skipped,
    notOffline: [...notOffline, ...unfetched.map(({ name }) => name)].sort(),
    problems,
  };
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function findingsOf({ denials, warnings, audits }: Verdict): readonly Finding[] {
  return [...denials, ...warnings, ...audits];
}
