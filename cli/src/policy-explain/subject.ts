/** What is to be explained: objects as they would be created, changed or deleted, or recorded AdmissionReviews. */
import type { AdmissionRequestLike, ExplainedSubject } from "@shieldx/policy-engine";
import * as z from "zod";
import { UsageError } from "../errors.ts";
import type { Manifest } from "../manifests/read.ts";
import { userInfo } from "../user-info.ts";

/** How the request is to be made of an object. */
export interface RequestOptions {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  /** Who asks, as with kubectl's `--as` and `--as-group`. */
  readonly as?: string;
  readonly asGroup: readonly string[];
}

const word = z.string().max(512);
const kind = z.looseObject({ group: word.default(""), version: word, kind: word });
const resource = z.looseObject({ group: word.default(""), version: word, resource: word });

/** admission.k8s.io/v1, types.go: what of an AdmissionRequest policies look at. */
const admissionRequest = z.looseObject({
  uid: word.default(""),
  kind,
  resource,
  subResource: word.optional(),
  requestKind: kind.optional(),
  requestResource: resource.optional(),
  requestSubResource: word.optional(),
  name: word.optional(),
  namespace: word.optional(),
  operation: z.enum(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  userInfo,
  dryRun: z.boolean().optional(),
});

export function isReview({ object }: Manifest): boolean {
  return object.kind === "AdmissionReview" && object.apiVersion.startsWith("admission.k8s.io/");
}

/** Throws UsageError naming file, line and field. */
export function subjectOf(manifest: Manifest): ExplainedSubject {
  return isReview(manifest) ? { request: requestOfReview(manifest) } : { object: manifest.object };
}

/** The request of an AdmissionReview. Throws UsageError naming file, line and field. */
export function requestOfReview(manifest: Manifest): AdmissionRequestLike {
  const { request } = manifest.object;
  const { data, error } = admissionRequest.safeParse(request);
  if (error === undefined) return data satisfies AdmissionRequestLike;
  const [issue] = error.issues;
  const path = ["request", ...(issue?.path ?? []).map(String)].join(".");
  const place = `${manifest.file}:${manifest.line}`;
  throw new UsageError(
    "InvalidReview",
    `${place}: AdmissionReview: ${path}: ${issue?.message ?? "is not valid"}`,
  );
}

/** Makes the request that creates an object into the one that was asked for. `olds`: objects as they were before. */
export function asAsked(
  { operation, as: username, asGroup }: RequestOptions,
  olds: readonly unknown[],
): (request: AdmissionRequestLike) => AdmissionRequestLike {
  return (request) => {
    const asked = {
      ...request,
      operation,
      userInfo: {
        ...(username === undefined ? {} : { username }),
        groups: ["system:authenticated", ...asGroup],
      },
    };
    if (operation === "CREATE") return asked;
    if (operation === "DELETE") return { ...asked, object: null, oldObject: request.object };
    const oldObject = olds.find((old) => identityOf(old) === identityOf(request.object));
    if (oldObject !== undefined) return { ...asked, oldObject };
    const named = `${request.kind.kind} "${request.name ?? ""}"`;
    throw new UsageError("NoOldObject", `UPDATE of ${named}: give it as it was before with --old <file>`);
  };
}

/** Enough to tell an object from others in the same files; a missing namespace is `default` to kubectl as well. */
function identityOf(object: unknown): string {
  const { kind: ofKind, metadata } = object as {
    kind?: unknown;
    metadata?: { namespace?: unknown; name?: unknown };
  };
  return JSON.stringify([ofKind, metadata?.namespace ?? "default", metadata?.name]);
}
