/**
 * The API server matches patterns with Go's RE2, we match them with JavaScript. Returns why the two would read a
 * pattern differently, or undefined when they agree.
 */
export function patternDifference(pattern: RegExp): string | undefined {
  if (pattern.flags !== "") return `flags "${pattern.flags}" cannot be written in OpenAPI`;
  const source = pattern.source;
  if (/\(\?[^:]/.test(source)) return "lookaround and named groups do not exist in RE2";
  let insideClass = false;
  for (let index = 0; index < source.length; index += 1) {
    const character = source[index];
    if (character === "\\") {
      const difference = escapeDifference(source[index + 1] ?? "");
      if (difference !== undefined) return difference;
      index += 1;
    } else if (character === "[") insideClass = true;
    else if (character === "]") insideClass = false;
    else if (character === "." && !insideClass) {
      return "'.' stops at other line ends in JavaScript than in RE2; write a class such as [^\\n\\r]";
    }
  }
  return undefined;
}

function escapeDifference(escaped: string): string | undefined {
  if (/[1-9k]/.test(escaped)) return "back references do not exist in RE2";
  if (/[sS]/.test(escaped)) return "\\s means other blanks in JavaScript than in RE2; list them";
  if (/[uxcpP]/.test(escaped))
    return `\\${escaped} is written differently in RE2; write the character itself`;
  return undefined;
}
