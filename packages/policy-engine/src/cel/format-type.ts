import type { CelType } from "./types.ts";

/** A type as the checker's messages show it (FormatCELType in cel-go checker/format.go). */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case "any":
      return "any";
    case "duration":
      return "duration";
    case "null":
      return "null";
    case "timestamp":
      return "timestamp";
    default:
      if (type.params.length === 0) return type.name;
      return `${type.name}(${type.params.map(formatType).join(", ")})`;
  }
}

/** The arguments of a call: `(int, string)`, or `string.(int)` for a method. */
export function formatSignature(args: readonly CelType[], isMember: boolean): string {
  const [receiver, ...rest] = args;
  if (!isMember || receiver === undefined) return `(${args.map(formatType).join(", ")})`;
  return `${formatType(receiver)}.(${rest.map(formatType).join(", ")})`;
}
