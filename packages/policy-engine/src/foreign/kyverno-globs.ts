/**
 * Kyverno's globs for images as patterns of engine images. Kyverno compares the text as it stands in the Pod, with its tag,
 * and its stars go beyond slashes (gobwas/glob without separators); here registry and repository are compared, part by part.
 */
import { normalizedRegistry } from "../images/reference.ts";
import type { Source } from "./source.ts";

/** A rule has no more. */
const mostPatterns = 32;

/** Undefined where it cannot be said in patterns, which is told. */
export function patternsOfGlob(glob: string, path: string, source: Source): readonly string[] | undefined {
  if (/[?[\]{}\\!]/.test(glob)) {
    source.error(path, "has signs other than *: write it with * only, in several entries if need be");
    return undefined;
  }
  const named = withoutTag(glob, path, source);
  const [first = "", ...rest] = named.split("/");
  if ([first, ...rest].includes("")) {
    source.error(path, "has an empty part: correct it");
    return undefined;
  }
  // A text without a host is an image of Docker Hub; one that begins with a star may be of any registry.
  const parts =
    isHost(first) || first.includes("*") ? [normalizedRegistry(first), ...rest] : hubParts(first, rest);
  if (first !== parts[0])
    source.note(
      path,
      `images are compared by their whole name, however they are written: ${parts.join("/")}`,
    );
  const alternatives = parts.length === 1 ? [[wholeRegistry(first)]] : parts.map(alternativesOf);
  const count = alternatives.reduce((product, each) => product * each.length, 1);
  if (count > mostPatterns) {
    source.error(path, "has too many stars beside other text: write it as several entries");
    return undefined;
  }
  const patterns = alternatives.reduce<string[]>(
    (heads, each) => heads.flatMap((head) => each.map((tail) => (head === "" ? tail : `${head}/${tail}`))),
    [""],
  );
  return [...new Set(patterns.map(withoutDoubledStars))];
}

function isHost(part: string): boolean {
  return /[.:]/.test(part) || part === "localhost";
}

function hubParts(first: string, rest: readonly string[]): string[] {
  return rest.length === 0 ? ["docker.io", "library", first] : ["docker.io", first, ...rest];
}

/** What a pattern has no place for. Without it the policy is about more images, and refuses more. */
function withoutTag(glob: string, path: string, source: Source): string {
  const [named = "", digest] = glob.split("@", 2);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const isOpen = named.endsWith("*");
  if (tag === undefined && digest === undefined && !isOpen)
    source.note(
      path,
      "Kyverno is about images that are written without a tag; the policy is about all tags of it",
    );
  const isAnyTag = tag === undefined || tag === "*" || tag === "**";
  if (!isAnyTag || (digest !== undefined && digest !== "*"))
    source.lost(
      path,
      "images are told by registry and repository: the policy is about all tags and digests of it",
    );
  return colon < 0 ? named : named.slice(0, colon);
}

/** Nothing but a star, or the beginning of a registry's name. */
function wholeRegistry(part: string): string {
  return /^\*+$/.test(part) ? "**" : `${part.replaceAll(/\*+/g, "*")}/**`;
}

/** A star in a part stands for text within it, or for text that begins there and ends in a later part. */
function alternativesOf(part: string, at: number): readonly string[] {
  const [before = "", ...after] = part.split(/\*+/);
  if (after.length === 0) return [part];
  if (after.length === 1 && before === "" && after[0] === "") return ["**"];
  const plain = [before, ...after].join("*");
  const tail = after.at(-1) ?? "";
  if (tail === "") return [plain, `${plain}/**`];
  // Of several stars in a part only the last is taken to go on; what a registry is called has no slash.
  if (at === 0 || after.length > 1) return [plain];
  return before === "" ? [plain, `**/${plain}`] : [plain, `${before}*/*${tail}`, `${before}*/**/*${tail}`];
}

/** `**` is one part or more, and so two of them in a row are one part and `**`. */
function withoutDoubledStars(pattern: string): string {
  const once = pattern.replace("/**/**", "/*/**");
  return once === pattern ? pattern : withoutDoubledStars(once);
}
