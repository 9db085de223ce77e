export { AdmissionMetrics } from "./admission/metrics.ts";
export { DecisionLogMetrics } from "./decision-log/metrics.ts";
export { DecisionMetrics } from "./decisions/metrics.ts";
export { main } from "./main.ts";
export { webhooksRbac } from "./rbac.ts";
export {
  type AdmissionAnswer,
  type AdmissionRequest,
  decodeAdmissionReview,
  encodeAdmissionAnswer,
} from "./server/admission-review.ts";
export { WebhookMetrics } from "./server/metrics.ts";
export {
  type AdmissionHandler,
  type RequestContext,
  WebhookServer,
  type WebhookServerOptions,
} from "./server/webhook-server.ts";
