import type { ObjectKey } from "../kubernetes/objects.ts";
import type { ResourceType } from "../kubernetes/resource-type.ts";
import { ApiError } from "./api-error.ts";
import { describe } from "./resource-path.ts";

/**
 * What the API server answers to an apply without force of a spec that these managers hold. For whoever has looked, and
 * will not apply to somebody else's object even where no single field conflicts.
 */
export function fieldManagerConflict(
  type: ResourceType,
  key: ObjectKey,
  managers: readonly string[],
): ApiError {
  // Who clears the list of managers is one all the same.
  const causes = [...new Set(managers.length === 0 ? ["unknown"] : managers)].map((manager) => ({
    reason: "FieldManagerConflict",
    field: ".spec",
    message: `conflict with "${manager}"`,
  }));
  const message = "the object is somebody else's";
  return new ApiError(describe("apply", type, key), 409, {
    reason: "Conflict",
    message,
    details: { causes },
  });
}
