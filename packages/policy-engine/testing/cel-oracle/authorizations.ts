/** Answers to checks of `authorizer`, from the same server by SubjectAccessReview, each asked for once. */
import {
  type AuthorizationAnswer,
  type AuthorizationCheck,
  type AuthorizationLookup,
  authorizationCheckKey,
  serviceAccountUser,
} from "../../src/cel/kubernetes/authorization-check.ts";
import type { ApiClient } from "./api-client.ts";

export interface RequestUser {
  readonly username?: string;
  readonly groups?: readonly string[];
}

export class Authorizations {
  readonly #api: ApiClient;
  readonly #answers = new Map<string, AuthorizationAnswer>();

  constructor(api: ApiClient) {
    this.#api = api;
  }

  lookup(user: RequestUser): AuthorizationLookup {
    return (check) => this.#answers.get(keyOf(user, check));
  }

  async ask(user: RequestUser, check: AuthorizationCheck): Promise<void> {
    const key = keyOf(user, check);
    if (this.#answers.has(key)) return;
    const { username, groups = [] } = check.user === "request" ? user : serviceAccountUser(check.user);
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user: username, groups, ...attributes(check) },
    };
    const answer = await this.#api.demand(
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      review,
    );
    const { status } = answer.body as {
      status: { allowed: boolean; reason?: string; evaluationError?: string };
    };
    const { allowed, reason = "" } = status;
    this.#answers.set(key, { allowed, reason });
  }
}

function keyOf(user: RequestUser, check: AuthorizationCheck): string {
  return `${user.username ?? ""} ${authorizationCheckKey(check)}`;
}

function attributes(check: AuthorizationCheck): object {
  if (check.kind === "path") return { nonResourceAttributes: { path: check.path, verb: check.verb } };
  const { verb, group, resource, subresource, namespace, name, fieldSelector, labelSelector } = check;
  return {
    resourceAttributes: {
      verb,
      group,
      resource,
      subresource,
      namespace,
      name,
      version: "*",
      ...(fieldSelector === undefined ? {} : { fieldSelector: { requirements: fieldSelector } }),
      ...(labelSelector === undefined ? {} : { labelSelector: { requirements: labelSelector } }),
    },
  };
}
