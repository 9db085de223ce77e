import type { AuthorizationLookup } from "../kubernetes/authorization-check.ts";
import type { CelValue, JsonObject } from "../values.ts";

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** The fields of an `admission.k8s.io/v1` AdmissionRequest that expressions see as `request`. */
export interface CelRequest {
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subResource?: string | undefined;
  readonly requestKind?: GroupVersionKind | undefined;
  readonly requestResource?: GroupVersionResource | undefined;
  readonly requestSubResource?: string | undefined;
  /** Empty on CREATE with generateName. */
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly operation: string;
  readonly userInfo?:
    | {
        readonly username?: string | undefined;
        readonly uid?: string | undefined;
        readonly groups?: readonly string[] | undefined;
        readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
      }
    | undefined;
  readonly dryRun?: boolean | undefined;
  readonly options?: unknown;
}

/** What the rules of a policy are asked. JSON is taken as it came and never changed. */
export interface CelQuestion {
  readonly request: CelRequest;
  /** null or left out on DELETE. */
  readonly object?: unknown;
  /** null or left out on CREATE. */
  readonly oldObject?: unknown;
  /** The Namespace the request is in; null or left out for cluster-scoped objects and Namespaces themselves. */
  readonly namespaceObject?: unknown;
}

/** A question with who answers what it asks of `authorizer`. */
export interface CelAsked {
  readonly question: CelQuestion;
  readonly authorize: AuthorizationLookup | undefined;
}

/** The parameter objects that a policy's paramRef selects, with apiVersion and kind, or why they cannot be had. */
export type CelParams =
  | { readonly objects: readonly unknown[] }
  /** Counts as an error of configuration; `problem` is all that is told. */
  | { readonly problem: string };

/** JSON from outside as a CEL value: an absent object is null. */
export function jsonValue(json: unknown): CelValue {
  return (json ?? null) as CelValue;
}

export type { CelValue, JsonObject };
