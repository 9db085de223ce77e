/** Long texts are gone through in parts, so that the work is counted, and can be ended, while it is done. */
import { countWork } from "../../work-meter.ts";

/** Never between the halves of a surrogate pair. */
export function stretchEnd(text: string, at: number): number {
  const isSplit = (text.codePointAt(at - 1) ?? 0) > 0xffff;
  return isSplit ? at + 1 : at;
}

/** UTF-16 units changed at a time. */
const stretch = 4_096;

/** The parts of a text, in order. A unit of work is counted for every eight characters. */
export function* stretchesOf(text: string): Generator<string, void, void> {
  for (let at = 0; at < text.length; ) {
    const end = stretchEnd(text, at + stretch);
    const part = at === 0 && end >= text.length ? text : text.slice(at, end);
    countWork(1 + (part.length >>> 3));
    yield part;
    at = end;
  }
}

/** What `change` makes of each part, as one text: for changes that do not look beyond a rune. */
export function inStretches(text: string, change: (part: string) => string): string {
  if (text.length <= stretch) return change(text);
  const parts: string[] = [];
  for (const part of stretchesOf(text)) parts.push(change(part));
  return parts.join("");
}
