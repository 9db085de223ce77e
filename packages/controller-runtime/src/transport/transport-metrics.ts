/**
 * What the transport counts, under client-go's names. The default counts nothing; see `src/metrics` for the
 * prom-client implementation.
 */
export interface TransportMetrics {
  /** `rest_client_requests_total{code,method,host}`: `code` is the HTTP status, or `<error>` without an answer. */
  requestFinished(labels: { code: string; method: string; host: string }): void;
  /** `rest_client_request_duration_seconds{verb,host}`: until the headers of the answer are there. */
  requestDuration(labels: { verb: string; host: string }, seconds: number): void;
}

export const noTransportMetrics: TransportMetrics = {
  requestFinished: () => undefined,
  requestDuration: () => undefined,
};
