/** Writes CEL source. Everything that comes from an object goes through `celString`, so nothing can break out. */

/** A CEL string literal (cel-spec, "String and Bytes Values"). */
export function celString(text: string): string {
  let out = "'";
  for (const character of text.toWellFormed()) {
    const codePoint = character.codePointAt(0) ?? 0;
    if (character === "'" || character === "\\") out += `\\${character}`;
    else if (codePoint >= 0x20 && codePoint < 0x7f) out += character;
    else if (codePoint < 0x10000) out += `\\u${codePoint.toString(16).padStart(4, "0")}`;
    else out += `\\U${codePoint.toString(16).padStart(8, "0")}`;
  }
  return `${out}'`;
}

export function celList(texts: readonly string[]): string {
  return `[${texts.map(celString).join(", ")}]`;
}

export function celAll(conditions: readonly string[]): string {
  return conditions.length === 0 ? "true" : conditions.map(bracketed).join(" && ");
}

export function celAny(conditions: readonly string[]): string {
  return conditions.length === 0 ? "false" : conditions.map(bracketed).join(" || ");
}

/** A person's expression, fit to stand in brackets: a comment at its end would take the closing one in. */
export function closed(expression: string): string {
  return expression.includes("//") ? `${expression}\n` : expression;
}

function bracketed(condition: string): string {
  return `(${condition})`;
}
