/**
 * Whether two values are the same JSON: field order and prototypes do not matter, and a field that is undefined
 * is one that is not there.
 */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, at) => jsonEqual(item, b[at]))
    );
  }
  return includesFields(a as Fields, b as Fields) && hasNoMore(b as Fields, a as Fields);
}

type Fields = Readonly<Record<string, unknown>>;

function includesFields(a: Fields, b: Fields): boolean {
  for (const name in a) {
    if (a[name] !== undefined && !(Object.hasOwn(b, name) && jsonEqual(a[name], b[name]))) return false;
  }
  return true;
}

function hasNoMore(b: Fields, a: Fields): boolean {
  for (const name in b) if (b[name] !== undefined && !Object.hasOwn(a, name)) return false;
  return true;
}
