export {
  type CleanableObject,
  type CleanupVerdict,
  type CompiledCleanup,
  compileCleanup,
} from "./cleanup.ts";
export {
  type CompiledGenerator,
  compileGenerator,
  type GeneratedEntry,
  type NamespaceLike,
  type RenderedEntry,
} from "./generator.ts";
