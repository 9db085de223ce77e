const shortEscapes = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** A string in double quotes with the escapes of Go's `strconv.Quote`, in which upstream prints annotations. */
export function goQuoted(text: string): string {
  let out = '"';
  for (const character of text.toWellFormed()) {
    const short = shortEscapes.get(character);
    if (short !== undefined) out += short;
    else if (printable.test(character)) out += character;
    else out += escaped(character.codePointAt(0) ?? 0);
  }
  return `${out}"`;
}

function escaped(codePoint: number): string {
  const hex = codePoint.toString(16);
  if (codePoint < 0x80) return `\\x${hex.padStart(2, "0")}`;
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
