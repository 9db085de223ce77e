import { compactJson, type RegoJson } from "@shieldx/policy-engine/decisions";

/** JSON as OPA answers it: keys sorted, a newline at the end; `isPretty` indents by two spaces. */
export function jsonText(value: RegoJson, isPretty: boolean): string {
  return `${isPretty ? indented(value, "") : compactJson(value)}\n`;
}

function isList(value: RegoJson): value is readonly RegoJson[] {
  return Array.isArray(value);
}

function indented(value: RegoJson, margin: string): string {
  if (typeof value !== "object" || value === null) return compactJson(value);
  const inner = `${margin}  `;
  const isArray = isList(value);
  const members = isArray
    ? value.map((item) => indented(item, inner))
    : Object.keys(value)
        .sort((a, b) => (a < b ? -1 : 1))
        .map((key) => `${JSON.stringify(key)}: ${indented(value[key] ?? null, inner)}`);
  const [open, close] = isArray ? "[]" : "{}";
  if (members.length === 0) return `${open}${close}`;
  return `${open}\n${inner}${members.join(`,\n${inner}`)}\n${margin}${close}`;
}
