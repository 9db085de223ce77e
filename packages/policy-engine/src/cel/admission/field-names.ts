/**
 * How a property's name is written in an expression about a typed object (apiserver pkg/cel/escaping.go):
 * `x-y` as `x__dash__y`, `namespace` as `__namespace__`.
 */
const reserved = new Set([
  ...["true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"],
  ...["import", "let", "loop", "package", "namespace", "return", "var", "void", "while"],
]);

const escapes: ReadonlyMap<string, string> = new Map([
  ["__", "__underscores__"],
  [".", "__dot__"],
  ["-", "__dash__"],
  ["/", "__slash__"],
]);

/** The name to use in expressions; undefined for one that cannot be written. */
export function escapeFieldName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replaceAll(/__|[.\-/]/g, (part) => escapes.get(part) ?? part);
}
