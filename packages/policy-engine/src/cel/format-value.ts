import { mapEntries } from "./maps.ts";
import { MAX_SHOWN, shortened } from "./shortened.ts";
import { formatDuration } from "./standard/duration.ts";
import { formatGoG } from "./standard/go-numbers.ts";
import { formatTimestamp } from "./standard/time.ts";
import {
  CelDouble,
  CelDuration,
  CelOptional,
  CelTimestamp,
  CelType,
  CelUint,
  type CelValue,
  isMap,
  typeOf,
} from "./values.ts";

const MAX_DEPTH = 20;

/** A value as Go's `%v` prints it in messages: a string bare, a list in brackets. Cut to what a message shows. */
export function formatValue(value: CelValue): string {
  return shortened(formatAt(value, 0));
}

/** Elements of which one too many could be shown: those after them are never seen. */
const firstOf = <T>(items: readonly T[]): readonly T[] => items.slice(0, MAX_SHOWN / 2);

function formatAt(value: CelValue, depth: number): string {
  switch (typeof value) {
    case "string":
      return shortened(value);
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      return Number.isSafeInteger(value) ? String(value) : formatGoG(value, 21);
    default:
      return depth > MAX_DEPTH ? "..." : formatObject(value, depth + 1);
  }
}

function formatObject(value: CelValue, depth: number): string {
  if (value === null) return "null";
  if (Array.isArray(value)) {
    return `[${firstOf(value as readonly CelValue[])
      .map((element) => formatAt(element, depth))
      .join(", ")}]`;
  }
  if (value instanceof CelDouble) return formatGoG(value.value, 21);
  if (value instanceof CelUint) return String(value.value);
  if (value instanceof CelTimestamp) return formatTimestamp(value);
  if (value instanceof CelDuration) return formatDuration(value.nanoseconds);
  if (value instanceof CelType) return value.name;
  if (value instanceof CelOptional) {
    return value.value === undefined ? "optional.none()" : `optional(${formatAt(value.value, depth)})`;
  }
  if (value instanceof Uint8Array) return `[${value.subarray(0, MAX_SHOWN).join(" ")}]`;
  if (!isMap(value)) return typeOf(value).name;
  const entries = firstOf([...mapEntries(value)]).map(
    ([key, held]) => `${formatAt(key, depth)}: ${formatAt(held, depth)}`,
  );
  return `{${entries.join(", ")}}`;
}
