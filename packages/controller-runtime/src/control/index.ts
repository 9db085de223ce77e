export {
  type ControllerDefinition,
  defineController,
  type ReconcileContext,
  type WatchDefinition,
  type WatchedType,
  watch,
} from "./definition.ts";
export { processSignal } from "./graceful.ts";
export { createJsonLogger } from "./json-logger.ts";
export { createManager, type Manager } from "./manager.ts";
export type { LeaderElectionOptions, ManagerOptions, Runnable } from "./manager-options.ts";
export {
  ReconcilePanicError,
  type ReconcileResult,
  ReconcileTimeoutError,
  TerminalError,
} from "./outcome.ts";
export { controllerReference, enqueueOwner } from "./owner.ts";
export * from "./predicate.ts";
export { type RetryPolicy, TokenBucket } from "./queue/rate-limit.ts";
export { WorkQueue, type WorkQueueOptions } from "./queue/work-queue.ts";
export { WorkQueueMetrics } from "./queue/work-queue-metrics.ts";
export { type AddOptions, lowPriority, type TakenItem, WorkQueueState } from "./queue/work-queue-state.ts";
export { RunnableError } from "./runnables.ts";
export { CacheSyncTimeoutError, NotWatchedError, type SharedInformerOptions } from "./shared-informers.ts";
