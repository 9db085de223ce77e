/** What YAML does not take raw, or reads as the end of a line (YAML 1.1, 5.1 and 5.4), and JSON does not escape. */
const notForYaml = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** The body of a server-side apply: JSON, which the API server reads as YAML, and gets the same from. */
export function applyBody(object: unknown): string {
  return JSON.stringify(object).replace(
    notForYaml,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
