export { BoundedMap } from "./bounded-map.ts";
export type { CorrelatorLimits, EventInput } from "./correlator.ts";
export {
  EventBroadcaster,
  type EventBroadcasterOptions,
  type EventRecorder,
  referenceTo,
} from "./recorder.ts";
