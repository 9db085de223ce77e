/**
 * Freezes a JSON value and all it holds, and returns it. A value whose root is frozen is taken to be done.
 *
 * The cache calls this when it hands an object out, not when it takes one in: freezing costs about as much as
 * parsing, and most objects of a large cache are looked at once or never.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) freezeAll(value);
  return value;
}

function freezeAll(value: object): void {
  Object.freeze(value);
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object" && item !== null) freezeAll(item);
    return;
  }
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name];
    if (typeof item === "object" && item !== null) freezeAll(item);
  }
}
