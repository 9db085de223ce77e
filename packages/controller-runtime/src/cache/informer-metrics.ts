/** What an informer counts; the default counts nothing. `resource` is `pods`, `deployments.apps`, … */
export interface InformerMetrics {
  /** A page of a list arrived. */
  listed(resource: string, objects: number): void;
  /** A list or watch failed and will be tried again. */
  failed(resource: string, verb: "list" | "watch", kind: "expired" | "unavailable" | "rejected"): void;
  /** A handler threw. */
  handlerFailed(resource: string): void;
}

export const noInformerMetrics: InformerMetrics = {
  listed: () => undefined,
  failed: () => undefined,
  handlerFailed: () => undefined,
};
