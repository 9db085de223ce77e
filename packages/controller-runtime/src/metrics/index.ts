export { exponentialBuckets } from "./buckets.ts";
export { HotHistogram, type HotNumber, hotCounter, hotGauge } from "./hot-metrics.ts";
export { createInformerMetrics } from "./manager-metrics.ts";
export { createTransportMetrics } from "./transport-metrics.ts";
