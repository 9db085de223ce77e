import { equals } from "../equality.ts";
import { CelError } from "../errors.ts";
import type { CelValue } from "../values.ts";

/** Equality in a search: a value that cannot be compared is simply not the one looked for (cel-go types/list.go). */
export function isSame(a: CelValue, b: CelValue): boolean {
  try {
    return equals(a, b);
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}
