import type { CustomResourceDefinition } from "../definition/custom-resource-definition.ts";
import { compareSchemas, type Incompatibility } from "./compare-schemas.ts";

/**
 * Incompatible changes of a CustomResourceDefinition: served versions that went away, names that changed, and, for
 * every version served before and after, what `compareSchemas` finds.
 */
export function compareCrds(
  before: CustomResourceDefinition,
  after: CustomResourceDefinition,
): Incompatibility[] {
  const found: Incompatibility[] = [];
  const report = (path: string, change: string) => found.push({ path, change });
  for (const field of ["group", "scope"] as const) {
    if (before.spec[field] !== after.spec[field]) {
      report(field, `changed from ${before.spec[field]} to ${after.spec[field]}`);
    }
  }
  for (const name of ["kind", "plural", "singular"] as const) {
    const [was, is] = [before.spec.names[name], after.spec.names[name]];
    if (was !== is) report(`names.${name}`, `changed from ${was} to ${is}`);
  }
  for (const short of before.spec.names.shortNames ?? []) {
    if (!after.spec.names.shortNames?.includes(short)) report("names.shortNames", `${short} was removed`);
  }
  for (const was of before.spec.versions.filter(({ served }) => served)) {
    const is = after.spec.versions.find(({ name }) => name === was.name);
    if (!is?.served) {
      report(was.name, "version is no longer served");
      continue;
    }
    if (was.subresources?.status !== undefined && is.subresources?.status === undefined) {
      report(`${was.name} status`, "status subresource was removed");
    }
    for (const { path, change } of compareSchemas(was.schema.openAPIV3Schema, is.schema.openAPIV3Schema)) {
      report(`${was.name} ${path}`.trimEnd(), change);
    }
  }
  return found;
}
