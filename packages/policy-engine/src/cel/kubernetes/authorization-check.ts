import type { SelectorRequirement } from "./selectors.ts";

/** Who is asked about: the user of the request, or a service account. */
export type CheckedUser = "request" | { readonly namespace: string; readonly name: string };

/** A question for the authorizer: may this user do that? What a SubjectAccessReview is made of. */
export type AuthorizationCheck = PathCheckAttributes | ResourceCheckAttributes;

/** A request for a path that is no resource, such as `/healthz`. */
export interface PathCheckAttributes {
  readonly kind: "path";
  readonly user: CheckedUser;
  readonly path: string;
  /** An HTTP method in lower case, as the policy wrote it. */
  readonly verb: string;
}

/** A request for a resource, of whatever API version. Empty strings stand for "not given". */
export interface ResourceCheckAttributes {
  readonly kind: "resource";
  readonly user: CheckedUser;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Left out without requirements. */
  readonly fieldSelector?: readonly SelectorRequirement[];
  readonly labelSelector?: readonly SelectorRequirement[];
}

export interface AuthorizationAnswer {
  /** False for "no opinion" as for "deny". */
  readonly allowed: boolean;
  readonly reason: string;
  /** The text of what went wrong while asking; the answer is then what counts in that case. */
  readonly error?: string;
}

/** Answers at once what is known; undefined: has to be asked first. */
export type AuthorizationLookup = (check: AuthorizationCheck) => AuthorizationAnswer | undefined;

/** A key under which answers may be kept: equal for checks that ask the same. */
export function authorizationCheckKey(check: AuthorizationCheck): string {
  const { user } = check;
  const who = user === "request" ? [] : [user.namespace, user.name];
  if (check.kind === "path") return JSON.stringify([who, check.path, check.verb]);
  const {
    verb,
    group,
    resource,
    subresource,
    namespace,
    name,
    fieldSelector = [],
    labelSelector = [],
  } = check;
  const selectors = [fieldSelector, labelSelector].map((requirements) =>
    requirements.map(({ key, operator, values }) => [key, operator, ...values]),
  );
  return JSON.stringify([who, verb, group, resource, subresource, namespace, name, ...selectors]);
}

/** The user name and groups of a service account (apiserver pkg/authentication/serviceaccount). */
export function serviceAccountUser({ namespace, name }: { namespace: string; name: string }): {
  username: string;
  groups: string[];
} {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
  };
}
