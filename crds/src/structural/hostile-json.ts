/** What JSON may contain that JavaScript should not be handed on with. */

/** Deepest nesting read; the deepest field of our own schemas is at 9. */
export const MAX_DEPTH = 100;

/** One reason not to read a value any further. */
export interface HostileJson {
  path: readonly (string | number)[];
  message: string;
}

/**
 * The first part of `value` that is nested deeper than {@link MAX_DEPTH} or named `__proto__`, which parsers of ours
 * would drop without a word. Walks with a list of its own: the depth of the input is not the depth of the stack.
 */
export function hostileJson(value: unknown): HostileJson | undefined {
  const pending: { value: unknown; path: readonly (string | number)[] }[] = [{ value, path: [] }];
  for (;;) {
    const next = pending.pop();
    if (next === undefined) return undefined;
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.path.length >= MAX_DEPTH) {
      return {
        path: next.path.slice(0, 8),
        message: `is nested deeper than ${MAX_DEPTH} levels: flatten it`,
      };
    }
    const isList = Array.isArray(next.value);
    for (const [key, child] of Object.entries(next.value)) {
      const path = [...next.path, isList ? Number(key) : key];
      if (key === "__proto__") return { path, message: "cannot be named __proto__: choose another name" };
      pending.push({ value: child, path });
    }
  }
}
