/** What an admission configuration leaves unjudged (kubernetes.io: Pod Security Admission, "Exemptions"). */
export interface PodSecurityExemptions {
  readonly usernames?: readonly string[] | undefined;
  readonly runtimeClassNames?: readonly string[] | undefined;
  readonly namespaces?: readonly string[] | undefined;
}

export type ExemptionGround = "user" | "namespace" | "runtimeClass";

/**
 * The ground on which a request is left unjudged, if any. Names are compared exactly; no wildcards, as upstream.
 * A controller's service account should not be exempt: that would exempt everyone who may create its objects.
 */
export function exemptionGround(
  exemptions: PodSecurityExemptions | undefined,
  request: {
    readonly username: string | undefined;
    readonly namespace: string | undefined;
    readonly runtimeClassName: string | undefined;
  },
): ExemptionGround | undefined {
  if (exemptions === undefined) return undefined;
  if (lists(exemptions.namespaces, request.namespace)) return "namespace";
  if (lists(exemptions.usernames, request.username)) return "user";
  return lists(exemptions.runtimeClassNames, request.runtimeClassName) ? "runtimeClass" : undefined;
}

function lists(names: readonly string[] | undefined, name: string | undefined): boolean {
  return name !== undefined && name !== "" && names?.includes(name) === true;
}
