/** Which images a rule is about: `registry.example.com/payments/**`, as sigstore's policy-controller writes them. */
import { AllowedHostError, parseAllowedHost } from "../rego/calls/index.ts";
import { type ImageReference, normalizedRegistry } from "./reference.ts";

export interface ImagePattern {
  /** The registry; undefined where the pattern leaves it open. */
  readonly registry: string | undefined;
  matches(image: Pick<ImageReference, "registry" | "repository">): boolean;
}

export class ImagePatternError extends Error {
  override readonly name = "ImagePatternError";
}

const anyParts = "**";

/**
 * `*` stands for anything within one part, `**` for one part or more.
 * @throws ImagePatternError saying how to write it
 */
export function parseImagePattern(text: string): ImagePattern {
  const parts = text.split("/");
  const [host = "", ...path] = parts;
  const last = parts.at(-1) ?? "";
  if (text.includes("@") || (parts.length > 1 && last.includes(":")))
    throw new ImagePatternError(
      "has a tag or a digest: leave it out, images are told by registry and repository",
    );
  if (parts.some((part) => part === "" || (part.includes(anyParts) && part !== anyParts)))
    throw new ImagePatternError("has an empty part, or ** beside something else: write ** for whole parts");
  if (!path.every((part) => /^[a-z0-9._*-]+$/.test(part)))
    throw new ImagePatternError("names repositories in other than lower case letters, digits and . _ - *");
  const registry = registryOf(host, text);
  if (path.length === 0 && host !== anyParts)
    throw new ImagePatternError(
      `names no repository: write ${text}/** for all of a registry, ** for all there are`,
    );
  if (registry === "docker.io" && path.length === 1 && path[0] !== anyParts)
    throw new ImagePatternError(`write docker.io/library/${path[0]}: that is where Docker Hub has it`);
  // One part or more: any one, and then any number.
  const wanted = parts.flatMap((part) => (part === anyParts ? ["*", anyParts] : [part]));
  return {
    registry,
    matches: ({ registry: named, repository }) =>
      matchesSequence(wanted, [named, ...repository.split("/")], (part) => part === anyParts, matchesPart),
  };
}

function registryOf(host: string, text: string): string | undefined {
  if (host.includes("*")) return undefined;
  if (!/[.:]/.test(host) && host !== "localhost")
    throw new ImagePatternError(`begins with no registry: write docker.io/${text} if it is at Docker Hub`);
  const spelled = normalizedRegistry(host);
  if (spelled !== host) throw new ImagePatternError(`begins with another spelling of ${spelled}: write that`);
  try {
    parseAllowedHost(host);
  } catch (error) {
    if (!(error instanceof AllowedHostError)) throw error;
    throw new ImagePatternError(`begins with a registry that ${error.message}`);
  }
  return host;
}

function matchesPart(pattern: string, part: string): boolean {
  return matchesSequence(
    [...pattern],
    [...part],
    (sign) => sign === "*",
    (sign, actual) => sign === actual,
  );
}

/** A star stands for any number of elements. Goes back to the last star only, so that the time is at most the product of both lengths. */
function matchesSequence(
  pattern: readonly string[],
  actual: readonly string[],
  isStar: (element: string) => boolean,
  isSame: (pattern: string, actual: string) => boolean,
): boolean {
  let at = 0;
  let star = -1;
  let resumeAt = 0;
  for (let index = 0; index < actual.length; ) {
    const wanted = pattern[at];
    if (wanted !== undefined && isStar(wanted)) {
      star = at++;
      resumeAt = index;
    } else if (wanted !== undefined && isSame(wanted, actual[index] ?? "")) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resumeAt;
    } else return false;
  }
  return pattern.slice(at).every(isStar);
}
