import type { Tracer } from "@shieldx/controller-runtime";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-review.ts";
import type { AdmissionHandler, RequestContext } from "./webhook-server.ts";

/** Answers a review within a span that says what was asked and what came of it. */
export function traceReview(
  tracer: Tracer,
  parts: {
    readonly review: AdmissionRequest;
    readonly context: RequestContext;
    readonly route: AdmissionHandler;
    readonly path: string;
    /** W3C `traceparent` of the API server's request. */
    readonly parent: string | string[] | undefined;
  },
): Promise<AdmissionAnswer> {
  const { review, context, route, path, parent } = parts;
  const { group, kind } = review.kind;
  const attributes = {
    "url.path": path,
    "k8s.admission.uid": review.uid,
    "k8s.admission.operation": review.operation,
    "k8s.admission.kind": group === "" ? kind : `${kind}.${group}`,
    "k8s.admission.subresource": review.subResource,
    "k8s.admission.dry_run": review.dryRun === true,
    "k8s.namespace.name": review.namespace,
    "k8s.object.name": review.name,
  };
  const about = typeof parent === "string" ? { attributes, parent } : { attributes };
  return tracer.trace(`review ${path}`, about, async (span) => {
    const answer = await route(review, { ...context, span });
    span.set("k8s.admission.allowed", answer.allowed);
    if (answer.status !== undefined) span.set("k8s.admission.code", answer.status.code);
    return answer;
  });
}
