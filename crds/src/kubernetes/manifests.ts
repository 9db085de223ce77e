import { type Document, LineCounter, parseAllDocuments, type Tags, visit } from "yaml";

/** Thrown when a file of manifests is not YAML; says in which line. */
export class ManifestSyntaxError extends Error {
  readonly code = "MANIFEST_SYNTAX";

  constructor(source: string, problem: string, options?: ErrorOptions) {
    super(`${source}: ${problem}`, options);
    this.name = "ManifestSyntaxError";
  }
}

/** One document of a text. */
export interface ManifestDocument {
  readonly value: unknown;
  /** 1-based line its content begins at. */
  readonly line: number;
}

/**
 * The documents in a YAML (or JSON) text, read as kubectl reads it: YAML 1.1, where a bare `off` is false, but dates
 * stay strings. Whole numbers of 2^53 and more that fit 64 bits are bigints. Empty documents are left out.
 * @param source what to call the text in errors, e.g. its path
 * @throws ManifestSyntaxError
 */
export function parseManifestDocuments(text: string, source: string): ManifestDocument[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: "1.1",
    customTags: kubectlTags,
    intAsBigInt: true,
    lineCounter,
    prettyErrors: false,
    logLevel: "silent",
  });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const at = lineCounter.linePos(error.pos[0]);
      throw new ManifestSyntaxError(`${source}:${at.line}:${at.col}`, error.message, { cause: error });
    }
    const { line } = lineCounter.linePos(document.contents?.range?.[0] ?? 0);
    const value = toPlain(document, `${source}:${line}`);
    return value === null || value === undefined ? [] : [{ value, line }];
  });
}

/** As {@link parseManifestDocuments}, without the lines. */
export function parseManifests(text: string, source: string): unknown[] {
  return parseManifestDocuments(text, source).map(({ value }) => value);
}

function toPlain(document: Document, source: string): unknown {
  try {
    visit(document, {
      Scalar(_key, scalar) {
        scalar.value = asStored(scalar.value);
      },
    });
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ManifestSyntaxError(source, error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** A whole number as the API server has it: an int64, or else the nearest double. */
function asStored(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const double = Number(value);
  return Number.isSafeInteger(double) || BigInt.asIntN(64, value) !== value ? double : value;
}

/** YAML 1.1's scalars without dates and base 60 numbers (12:30), which kubectl leaves as strings, plus 0o17. */
function kubectlTags(tags: Tags): Tags {
  const kept = tags.filter(
    (tag) => typeof tag === "string" || (tag.tag !== "tag:yaml.org,2002:timestamp" && tag.format !== "TIME"),
  );
  return [...kept, "intOct"];
}
