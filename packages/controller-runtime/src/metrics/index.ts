export { exponentialBuckets } from "./buckets.ts";
export { createInformerMetrics } from "./manager-metrics.ts";
export { createTransportMetrics } from "./transport-metrics.ts";
