import type { Registry } from "prom-client";
import Counter from "prom-client/lib/counter.js";
import Histogram from "prom-client/lib/histogram.js";
import type { TransportMetrics } from "../transport/transport-metrics.ts";

/** client-go's `rest_client_*` metrics, for `createClient({ metrics: createTransportMetrics(registry) })`. */
export function createTransportMetrics(registry: Registry): TransportMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server by status code, method and host",
    labelNames: ["code", "method", "host"] as const,
    registers,
  });
  const duration = new Histogram({
    name: "rest_client_request_duration_seconds",
    help: "Time until the headers of the answer",
    labelNames: ["verb", "host"] as const,
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers,
  });
  return {
    requestFinished: (labels) => requests.inc(labels),
    requestDuration: (labels, seconds) => duration.observe(labels, seconds),
  };
}
