/** Paths of documents in URLs, as OPA reads them (v1/server stringPathToRef). */
import type { PathPart } from "@shieldx/policy-engine/decisions";
import { OpaError } from "./opa-error.ts";

/** More steps than any policy's document is deep. */
const mostParts = 128;

/**
 * The reference that an escaped path names: empty parts do not count, and a whole number is a position in a list.
 * @throws OpaError 400
 */
export function dataPath(escaped: string): readonly PathPart[] {
  const parts = escaped.split("/").filter((part) => part !== "");
  if (parts.length > mostParts)
    throw new OpaError(400, "invalid_parameter", `invalid path: it has more than ${mostParts} parts`);
  return parts.map((part) => {
    const text = unescaped(part);
    if (text.includes('"'))
      throw new OpaError(400, "invalid_parameter", `invalid path: invalid ref term '${text}'`);
    return /^[-+]?\d{1,15}$/.test(text) ? Number(text) : text;
  });
}

/** What is no percent-encoding stands for itself. */
function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** As OPA writes a reference: `data.nope["a-b"][1]`. */
export function referenceText(path: readonly PathPart[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return /^[A-Za-z_]\w*$/.test(part) ? `${text}.${part}` : `${text}[${JSON.stringify(part)}]`;
  }, "data");
}

/**
 * One spelling for all that name the same document: what a rule of RBAC allows must not depend on how it was written.
 * A slash within a part stays encoded.
 */
export function canonicalPath(prefix: string, path: readonly PathPart[]): string {
  return [prefix, ...path.map((part) => encodeURIComponent(part))].join("/");
}
