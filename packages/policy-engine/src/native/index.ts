export type { FoldedExceptions } from "./exception-condition.ts";
export { notFinalizing, notNamespaceCleanup } from "./must-pass.ts";
export {
  admissionPolicyName,
  type RenderedBinding,
  type RenderedMetadata,
  type RenderedPolicy,
  type RenderedValidatingAdmissionPolicy,
  type RenderOptions,
  renderAdmissionPolicy,
} from "./render.ts";
