/**
 * What others wrote must not move the cursor, set colours, turn the direction of text or begin a line that looks like ours:
 * control characters (C0 and C1 of ECMA-48, DEL), format characters (Unicode TR 36) and separators of lines and paragraphs.
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The text in one line that does nothing to a terminal. To be called before colours are put in. */
export function printable(text: string): string {
  return text.replace(/[\t\r\n]+/g, " ").replace(unprintable, "\ufffd");
}
