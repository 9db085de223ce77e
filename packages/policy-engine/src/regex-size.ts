/**
 * An estimate of how large the program of a regular expression comes out, made before it is compiled: repetitions are
 * written out (`x{1000}` is a thousand instructions), and multiply when nested.
 */

/** What a class such as `[a-z]` counts, and one such as `\pL`: lists of few and of hundreds of ranges. */
const CLASS_SIZE = 4;
const UNICODE_CLASS_SIZE = 60;

const REPETITION = /\{(\d{1,9})(?:,(\d{0,9}))?\}/y;

/** Instructions that a pattern comes to, roughly. Any text has an estimate, also one that is no pattern. */
export function estimatedProgramSize(pattern: string): number {
  /** Sizes of the groups around the place, the outermost first, and last that of the one it is in. */
  const groups = [0];
  let atom = 0;
  const add = (size: number): void => {
    atom = size;
    groups[groups.length - 1] = (groups[groups.length - 1] ?? 0) + size;
  };
  for (let at = 0; at < pattern.length; ) {
    const times = repetitions(pattern, at);
    if (times !== undefined) {
      add(atom * (times - 1));
      at = REPETITION.lastIndex;
    } else if (pattern.charAt(at) === "(") {
      groups.push(1);
      at++;
    } else if (pattern.charAt(at) === ")" && groups.length > 1) {
      add((groups.pop() ?? 0) + 1);
      at++;
    } else {
      const { size, end } = atomAt(pattern, at);
      add(size);
      at = end;
    }
  }
  return groups.reduce((sum, size) => sum + size, 0);
}

/** A character, an escape or a class, and where it ends. */
function atomAt(pattern: string, at: number): { readonly size: number; readonly end: number } {
  if (pattern.charAt(at) === "[") {
    const end = classEnd(pattern, at) + 1;
    const unicodeClasses = pattern.slice(at, end).split(/\\[pP]/).length - 1;
    return { size: CLASS_SIZE + UNICODE_CLASS_SIZE * unicodeClasses, end };
  }
  if (pattern.charAt(at) !== "\\") return { size: 1, end: at + 1 };
  const escaped = pattern.charAt(at + 1).toLowerCase();
  return {
    size: escaped === "p" ? UNICODE_CLASS_SIZE : "dsw".includes(escaped) ? CLASS_SIZE : 1,
    end: at + 2,
  };
}

/** The most that a repetition at this place allows; undefined where there is none. */
function repetitions(pattern: string, at: number): number | undefined {
  if (pattern.charAt(at) !== "{") return undefined;
  REPETITION.lastIndex = at;
  const match = REPETITION.exec(pattern);
  if (match === null) return undefined;
  return Math.max(1, Number(match[1]), Number(match[2] ?? "0"));
}

/** Where the bracket is that closes a class; the end of the pattern when none does. */
function classEnd(pattern: string, start: number): number {
  let at = pattern.charAt(start + 1) === "^" ? start + 2 : start + 1;
  // A bracket in first place stands for itself.
  if (pattern.charAt(at) === "]") at++;
  while (at < pattern.length && pattern.charAt(at) !== "]") at += pattern.charAt(at) === "\\" ? 2 : 1;
  return at;
}
