import { CelError, CelWorkError } from "../errors.ts";
import type { Library } from "../library.ts";
import { compileRegex } from "../standard/regex.ts";
import { INT, listType, STRING } from "../types.ts";
import type { CelValue } from "../values.ts";
import { spend } from "../work.ts";
import { methods, shape } from "./declare.ts";
import { asText } from "./kubernetes-types.ts";

/** apiserver's pkg/cel/library/regex.go: RE2 syntax, each match found in linear time. */

type Matcher = ReturnType<ReturnType<typeof compileRegex>["compiled"]["matcher"]>;

function matcher(text: string, pattern: CelValue): Matcher {
  try {
    const { compiled, workPerCharacter } = compileRegex(asText(pattern));
    spend(text.length * workPerCharacter);
    return compiled.matcher(text);
  } catch (error) {
    if (error instanceof CelError) throw new CelError(`Illegal regex: ${error.message}`);
    throw error;
  }
}

/** The first match, "" for none. */
function find(text: string, pattern: CelValue): string {
  const search = matcher(text, pattern);
  return search.find() ? text.slice(search.start(), search.end()) : "";
}

/**
 * Longest that one search for all matches may compute, in ms. To find one match may mean to read all of the text, so
 * that the time grows with the square of its length (`a.*b|a` in "aaa…"), which the cost does not tell.
 */
const maxSearchMs = 100;

/** The clocks are looked at after so many characters that may have been read: never in a search that must be short. */
const charactersPerLook = 100_000;
/** Units of work.ts that have the caller's clock looked at. */
const workPerLook = 10_000;

/**
 * At most `limit` matches; all of them for a negative limit. No empty match stands right behind another match, as
 * in Go's `FindAllString`.
 */
function findAll(text: string, pattern: CelValue, limit: number, computedMs: () => number): CelValue {
  const search = matcher(text, pattern);
  const most = limit < 0 ? Number.POSITIVE_INFINITY : limit;
  const matches: string[] = [];
  let start: number | undefined;
  let read = 0;
  let previousEnd = -1;
  while (matches.length < most && search.find()) {
    if (search.start() !== previousEnd || search.end() !== previousEnd) {
      matches.push(text.slice(search.start(), search.end()));
    }
    previousEnd = search.end();
    read += text.length;
    if (read < charactersPerLook) continue;
    read = 0;
    spend(workPerLook);
    start ??= computedMs();
    if (computedMs() - start > maxSearchMs) throw new CelWorkError();
  }
  return matches;
}

/**
 * `computedMs` tells the computing time of this thread in ms, to give up searches that would block everything else.
 * Not the time of day: on a busy machine a short search can last long, and must not fail for it.
 */
export function regexLibraryWith(computedMs: () => number): Library {
  return {
    name: "kubernetes.regex",
    functions: [
      methods(
        "find",
        shape("string_find_string", [STRING, STRING], STRING, (text = null, pattern = null) =>
          find(asText(text), pattern),
        ),
      ),
      methods(
        "findAll",
        shape("string_find_all_string", [STRING, STRING], listType(STRING), (text = null, pattern = null) =>
          findAll(asText(text), pattern, -1, computedMs),
        ),
        shape(
          "string_find_all_string_int",
          [STRING, STRING, INT],
          listType(STRING),
          // No text has more matches than characters, so an int64 may lose digits here.
          (text = null, pattern = null, limit = -1) =>
            findAll(asText(text), pattern, Number(limit), computedMs),
        ),
      ),
    ],
  };
}

export const regexLibrary = regexLibraryWith(() => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
});
