export { kindOfResource } from "./built-in-kinds.ts";
export { withoutUncompilable } from "./compiled.ts";
export type { Foreign, Imported, ImportedPolicy, Note, ObjectName } from "./foreign.ts";
export { importPolicies } from "./import.ts";
export { importOpaBundle, type OpaBundleOptions } from "./opa.ts";
