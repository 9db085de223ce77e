/** What an informer counts; the default counts nothing. `resource` is `pods`, `deployments.apps`, … */
export interface InformerMetrics {
  /** There is a cache of it; `size` says how many objects it holds now. */
  cached(resource: string, size: () => number): void;
  /** A watch was opened: more often than every few minutes means that they break. */
  watched(resource: string): void;
  /** A page of a list arrived. */
  listed(resource: string, objects: number): void;
  /** A list or watch failed and will be tried again. */
  failed(resource: string, verb: "list" | "watch", kind: "expired" | "unavailable" | "rejected"): void;
  /** A handler threw. */
  handlerFailed(resource: string): void;
}

export const noInformerMetrics: InformerMetrics = {
  cached: () => undefined,
  watched: () => undefined,
  listed: () => undefined,
  failed: () => undefined,
  handlerFailed: () => undefined,
};
