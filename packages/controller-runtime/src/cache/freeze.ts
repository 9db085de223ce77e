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

/** Custom resources may nest 10,000 levels deep (Go's decoder stops there), which is more than the stack takes. */
const deepestOnStack = 500;

function freezeAll(root: object): void {
  const open: object[] = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) freezeBelow(next, 0, open);
}

/** @param open takes what is too deep to be gone into now */
function freezeBelow(value: object, depth: number, open: object[]): void {
  if (depth > deepestOnStack) {
    open.push(value);
    return;
  }
  Object.freeze(value);
  if (Array.isArray(value)) {
    for (const item of value)
      if (typeof item === "object" && item !== null) freezeBelow(item, depth + 1, open);
    return;
  }
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name];
    if (typeof item === "object" && item !== null) freezeBelow(item, depth + 1, open);
  }
}
