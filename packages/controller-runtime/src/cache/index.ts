export type { InformerHandler } from "./handlers.ts";
export * from "./informer.ts";
export * from "./informer-metrics.ts";
export * from "./informer-pool.ts";
export type { ReflectorSettings } from "./reflector.ts";
export type { Indexers, Store } from "./store.ts";
