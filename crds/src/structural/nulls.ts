/**
 * `value` without the fields of objects that are null: the API server drops them before it fills in defaults
 * (an empty `podSecurity:` in YAML is such a null). Nulls in lists stay, they are a mistake.
 */
export function withoutNullFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNullFields);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null && child !== undefined)
      .map(([name, child]) => [name, withoutNullFields(child)]),
  );
}
