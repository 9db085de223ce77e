import { finding, type LintFinding } from "./rules.ts";

/** Whether the text that is matched is a name of an image, by what it is called. */
function isImage(subject: string): boolean {
  return /image|registry|repositor/i.test(subject.slice(-200));
}

/** Whatever comes before has been thought about, or is not the host: `@sha256:…` and `:latest` come after it. */
const anchored = ["^", "\\A", ".*", "@", ":"];

export function imagePatternProblem(subject: string, pattern: string, path: string): LintFinding[] {
  const bare = pattern.replace(/^\((?:\?[a-zA-Z]*:)?/, "");
  if (!isImage(subject) || anchored.some((start) => pattern.startsWith(start) || bare.startsWith(start)))
    return [];
  // What is looked for at the end, such as a digest, is found there only.
  if (pattern.endsWith("$")) return [];
  return [finding("image-pattern-unanchored", path, `"${pattern}" is found anywhere in ${subject}`)];
}

/** `docker.io` and `docker.io/library` go on; `docker.io/`, `registry.example.com:5000/team/` and `app@` do not. */
export function imagePrefixProblem(subject: string, prefix: string, path: string): LintFinding[] {
  if (!isImage(subject) || prefix === "" || /[/:@]$/.test(prefix)) return [];
  return [finding("image-prefix-open", path, `${subject} may go on after "${prefix}"`)];
}
