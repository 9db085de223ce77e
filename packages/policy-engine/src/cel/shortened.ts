/** Longest part of a value that an error shows, in UTF-16 units: messages go to people, to logs and into responses. */
export const MAX_SHOWN = 256;

/** A text as an error shows it: cut when it is long. */
export function shortened(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}
