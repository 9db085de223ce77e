import { ApiError, type Client, SubjectAccessReview, TransportError } from "@shieldx/controller-runtime";
import {
  type AdmissionRequestLike,
  type AuthorizationAnswer,
  type AuthorizationCheck,
  authorizationCheckKey,
  serviceAccountUser,
} from "@shieldx/policy-engine";

type UserInfo = AdmissionRequestLike["userInfo"];

/** Asks the API server's authorizer, of `user` where the check is about whoever sent the request; never throws. */
export type AskAuthorizer = (
  check: AuthorizationCheck,
  user: UserInfo,
  timeoutMs: number,
) => Promise<AuthorizationAnswer | Unanswered>;

/** There is no answer: the expression has no value then, and failurePolicy decides. "No" would be an answer. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
}

/** By SubjectAccessReviews, the way an API server's own admission policies have no need to go. */
export function askBySubjectAccessReview(client: Client): AskAuthorizer {
  return async (check, user, timeoutMs) => {
    try {
      const review = await client.create(
        SubjectAccessReview,
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          metadata: { name: "" },
          spec: reviewOf(check, user),
        },
        { timeoutMs: Math.max(1, Math.floor(timeoutMs)), retries: 0 },
      );
      const { allowed = false, reason = "", evaluationError } = review.status ?? {};
      return { allowed, reason, ...(evaluationError === undefined ? {} : { error: evaluationError }) };
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof TransportError)) throw error;
      return new Unanswered(`the authorizer could not be asked: ${error.message}`);
    }
  };
}

/** `spec` of the SubjectAccessReview that asks the same (authorization.k8s.io/v1). */
export function reviewOf(check: AuthorizationCheck, user: UserInfo): SubjectAccessReview["spec"] {
  const asked: UserInfo = check.user === "request" ? user : serviceAccountUser(check.user);
  const { username, groups = [], uid, extra } = asked;
  const who = {
    ...(username === undefined ? {} : { user: username }),
    groups: [...groups],
    ...(uid === undefined ? {} : { uid }),
    ...(extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
  };
  if (check.kind === "path") return { ...who, nonResourceAttributes: { path: check.path, verb: check.verb } };
  const { verb, group, resource, subresource, namespace, name, fieldSelector, labelSelector } = check;
  const resourceAttributes = {
    ...{ verb, group, version: "*", resource, subresource, namespace, name },
    ...(fieldSelector === undefined ? {} : { fieldSelector: { requirements: fieldSelector } }),
    ...(labelSelector === undefined ? {} : { labelSelector: { requirements: labelSelector } }),
  };
  return { ...who, resourceAttributes };
}

/** So that an expression over a long list does not become as many requests to the API server. */
const mostChecks = 64;

/** The authorizer's answers for one request: each check is asked once. */
export class Authorizations {
  readonly #ask: AskAuthorizer;
  readonly #user: UserInfo;
  readonly #answers = new Map<string, AuthorizationAnswer | Unanswered>();

  constructor(ask: AskAuthorizer, user: UserInfo) {
    this.#ask = ask;
    this.#user = user;
  }

  /**
   * Undefined while the check has not been asked.
   * @throws Unanswered
   */
  readonly lookUp = (check: AuthorizationCheck): AuthorizationAnswer | undefined => {
    const answer = this.#answers.get(authorizationCheckKey(check));
    if (answer instanceof Unanswered) throw answer;
    if (answer !== undefined || this.#answers.size < mostChecks) return answer;
    throw new Unanswered(`more than ${mostChecks} authorizer checks for one request`);
  };

  async find(checks: readonly AuthorizationCheck[], timeoutMs: number): Promise<void> {
    const room = mostChecks - this.#answers.size;
    const wanted = new Map(checks.map((check) => [authorizationCheckKey(check), check]));
    await Promise.all(
      [...wanted].slice(0, room).map(async ([key, check]) => {
        this.#answers.set(key, await this.#ask(check, this.#user, timeoutMs));
      }),
    );
  }
}
