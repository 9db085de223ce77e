import type { PlainObject, RegoValue } from "../../rego/values.ts";
import type { AdmissionRequestLike } from "../request.ts";

/**
 * What policies in Rego see as `input`: the AdmissionReview, whose request they find as `request`, where OPA's policies
 * look for it, and as `review`, where Gatekeeper's do. Absent objects are null, as the API server sends them.
 */
export function regoInputOf(request: AdmissionRequestLike): PlainObject {
  const { object = null, oldObject = null, options = null, dryRun = false, userInfo, ...rest } = request;
  const review = known({ ...rest, userInfo: known(userInfo), object, oldObject, options, dryRun });
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: review, review };
}

/** Rego knows no undefined members. Everything else came as JSON. */
function known(record: object): PlainObject {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Record<
    string,
    RegoValue
  >;
}
