export { ClientNodeMissingError } from "./client-node.ts";
export { default, default as Operator } from "./operator.ts";
export {
  type KubernetesObject,
  type OperatorLogger,
  type ResourceEvent,
  ResourceEventType,
  type ResourceMeta,
  ResourceMetaImpl,
} from "./resource-event.ts";
