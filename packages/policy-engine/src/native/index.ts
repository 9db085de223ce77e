export type { FoldedExceptions } from "./exception-condition.ts";
export {
  admissionPolicyName,
  type RenderedBinding,
  type RenderedMetadata,
  type RenderedPolicy,
  type RenderedValidatingAdmissionPolicy,
  type RenderOptions,
  renderAdmissionPolicy,
} from "./render.ts";
