/**
 * Tests of the Kyverno CLI (cli.kyverno.io/v1alpha1), as `kyverno test` reads them: policies and resources, and what each
 * policy comes to for each resource.
 */
import { at, isPlain, type Plain, textAt } from "../foreign/plain.ts";
import { TestFormatError } from "./test-format-error.ts";

export interface KyvernoTest {
  /** As it was given. */
  readonly file: string;
  readonly line: number;
  readonly name: string;
  /** Files are named relative to that of the test. */
  readonly policies: readonly string[];
  readonly resources: readonly string[];
  readonly targetResources: readonly string[];
  readonly paramResources: readonly string[];
  readonly exceptions: readonly string[];
  /** Answers to what policies ask of a cluster. */
  readonly clusterResources: readonly string[];
  readonly jsonPayloads: readonly string[];
  readonly httpPayloads: readonly string[];
  readonly userInfo: string | undefined;
  /** Of a file, or as they stand in the test. */
  readonly values: string | Plain | undefined;
  readonly results: readonly KyvernoResult[];
  readonly checks: readonly Plain[];
}

export interface KyvernoResult {
  /** `namespace/name` of a namespaced policy. */
  readonly policy: string;
  readonly rule: string | undefined;
  readonly kind: string | undefined;
  /** `name` or `namespace/name`. */
  readonly resources: readonly string[];
  /** Counts only resources there; a field of older tests. */
  readonly namespace: string | undefined;
  /** What the policy comes to: pass, fail, skip, warn or error. */
  readonly result: string;
  readonly patchedResources: string | undefined;
  readonly isAboutGenerated: boolean;
  /** CREATE where neither it nor the values say it. */
  readonly operation: string | undefined;
}

/** The second is of older tests. */
const groups = ["cli.kyverno.io/", "kyverno.io/"];

export function isKyvernoTest(object: unknown): boolean {
  const apiVersion = textAt(object, "apiVersion") ?? "";
  return groups.some((group) => apiVersion.startsWith(group)) && textAt(object, "kind") === "Test";
}

/** Throws TestFormatError. */
export function readKyvernoTest(object: unknown, file: string, line: number): KyvernoTest {
  const files = (key: string): readonly string[] => textsAt(object, key, "");
  const payload = textAt(object, "jsonPayload");
  const values = at(object, "values");
  return {
    file,
    line,
    name: textAt(object, "metadata", "name") ?? textAt(object, "name") ?? file,
    policies: files("policies"),
    resources: files("resources"),
    targetResources: files("targetResources"),
    paramResources: files("paramResources"),
    exceptions: files("exceptions"),
    clusterResources: files("clusterResources"),
    jsonPayloads: [...(payload === undefined ? [] : [payload]), ...files("jsonPayloads")],
    httpPayloads: [textAt(object, "httpPayload"), textAt(object, "envoyPayload")]
      .filter((each) => each !== undefined)
      .concat(files("httpPayloads"), files("envoyPayloads")),
    userInfo: textAt(object, "userinfo"),
    values: isPlain(values) ? values : textAt(object, "variables"),
    results: recordsAt(object, "results", "").map(([result, path]) => resultOf(result, path)),
    checks: recordsAt(object, "checks", "").map(([check]) => check),
  };
}

function resultOf(result: Plain, path: string): KyvernoResult {
  const policy = textAt(result, "policy");
  if (policy === undefined) throw new TestFormatError(`${path}.policy`, "must name the policy");
  const resource = textAt(result, "resource");
  const wanted = textAt(result, "result") ?? textAt(result, "status");
  if (wanted === undefined)
    throw new TestFormatError(`${path}.result`, "must be pass, fail, skip, warn or error");
  return {
    policy,
    rule: textAt(result, "rule"),
    kind: textAt(result, "kind"),
    resources: [
      ...textsAt(result, "resources", `${path}.`),
      ...(resource === undefined ? [] : [resource]),
      ...recordsAt(result, "resourceSpecs", `${path}.`).flatMap(([spec]) => nameIn(spec)),
    ],
    namespace: textAt(result, "namespace"),
    result: wanted,
    patchedResources: textAt(result, "patchedResources") ?? textAt(result, "patchedResource"),
    isAboutGenerated:
      at(result, "generatedResource") !== undefined || at(result, "generatedResources") !== undefined,
    operation: textAt(result, "operation"),
  };
}

function nameIn(spec: Plain): string[] {
  const name = textAt(spec, "name");
  const namespace = textAt(spec, "namespace") ?? "";
  return name === undefined ? [] : [namespace === "" ? name : `${namespace}/${name}`];
}

function textsAt(object: unknown, key: string, before: string): readonly string[] {
  const list = at(object, key) ?? [];
  if (!Array.isArray(list)) throw new TestFormatError(`${before}${key}`, "must be a list of texts");
  return list.map((item: unknown) => {
    if (typeof item === "string") return item;
    throw new TestFormatError(`${before}${key}`, "must be a list of texts");
  });
}

function recordsAt(object: unknown, key: string, before: string): (readonly [Plain, string])[] {
  const list = at(object, key) ?? [];
  if (!Array.isArray(list)) throw new TestFormatError(`${before}${key}`, "must be a list");
  return list.map((item: unknown, index) => {
    const path = `${before}${key}[${index}]`;
    if (!isPlain(item)) throw new TestFormatError(path, "must be an object");
    return [item, path];
  });
}
