/**
 * Whether whoever writes a tenant's policy may read what it looks at: its messages show that to him. The API server asks the
 * same of who binds an admission policy to parameters (KEP-3488).
 */
import {
  ApiError,
  type Client,
  discoverKind,
  groupResourceOf,
  TransportError,
} from "@shieldx/controller-runtime";
import type { ShieldPolicySpec } from "@shieldx/crds";
import type { AdmissionRequestLike } from "@shieldx/policy-engine";
import { type AskAuthorizer, Unanswered } from "./authorizations.ts";

export interface Readable {
  /** What the user may not read, with the field that names it. */
  readonly problems: readonly string[];
  /** What could not be found out. */
  readonly unknown: readonly string[];
}

export type FindReadable = (
  spec: ShieldPolicySpec,
  namespace: string,
  user: AdmissionRequestLike["userInfo"],
  timeoutMs: number,
) => Promise<Readable>;

interface LookedAt {
  readonly path: string;
  readonly kind: { readonly apiVersion: string; readonly kind: string };
  readonly verb: "get" | "list";
  /** Empty for all. */
  readonly name: string;
}

function lookedAtBy({ paramKind, paramRef, rego }: ShieldPolicySpec): LookedAt[] {
  const params = paramKind && [
    { path: "spec.paramRef", kind: paramKind, verb: "get" as const, name: paramRef?.name ?? "" },
  ];
  const inventory = (rego?.inventory ?? []).map((kind, at) => ({
    path: `spec.rego.inventory[${at}]`,
    kind,
    verb: "list" as const,
    name: "",
  }));
  return [...(params ?? []), ...inventory];
}

export function readableBySubjectAccessReview(client: Client, ask: AskAuthorizer): FindReadable {
  async function find(
    { path, kind, verb, name }: LookedAt,
    namespace: string,
    user: AdmissionRequestLike["userInfo"],
    timeoutMs: number,
  ): Promise<Partial<Readable>> {
    try {
      const type = await discoverKind(
        client,
        kind,
        AbortSignal.timeout(Math.max(1, Math.floor(timeoutMs / 2))),
      );
      // What is not served nobody reads; the policy's status says that it is not.
      if (type === undefined) return {};
      const check = {
        kind: "resource",
        user: "request",
        verb,
        group: type.group,
        resource: type.plural,
      } as const;
      const answer = await ask({ ...check, subresource: "", namespace, name }, user, timeoutMs / 2);
      if (answer instanceof Unanswered) return { unknown: [`${path}: ${answer.message}`] };
      if (answer.allowed) return {};
      const what = `${groupResourceOf(type)}${name === "" ? "" : ` "${name}"`}`;
      return {
        problems: [
          `${path}: you may not ${verb} ${what} in namespace "${namespace}", which the policy would show you: leave them out, or have the right granted`,
        ],
      };
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof TransportError || error instanceof DOMException))
        throw error;
      return { unknown: [`${path}: ${kind.kind} could not be looked up: ${error.message}`] };
    }
  }

  return async (spec, namespace, user, timeoutMs) => {
    const found = await Promise.all(lookedAtBy(spec).map((each) => find(each, namespace, user, timeoutMs)));
    return {
      problems: found.flatMap(({ problems = [] }) => problems),
      unknown: found.flatMap(({ unknown = [] }) => unknown),
    };
  };
}
