export { cacheFolder } from "./cache.ts";
export { buildGoBinary, buildGoBinaryOrSkip, type GoBinary } from "./go-binary.ts";
export { buildHelm, buildKubernetes } from "./kubernetes.ts";
export type { SourcePatch } from "./patch.ts";
export { type ManifestName, publishedFile, publishedManifest } from "./published.ts";
export { buildRegoCompiler, regoCompiler } from "./rego-compiler.ts";
export { goEnvironment, goToolchain } from "./toolchain.ts";
