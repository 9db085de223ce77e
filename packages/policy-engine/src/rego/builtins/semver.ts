/** `semver.*`: Semantic Versioning 2.0.0 with an optional leading `v` (OPA's internal/semver). */
import { compareNumbers, compareStrings, type RegoValue } from "../values.ts";
import { type Builtin, LimitError } from "./contract.ts";
import { isDigit, skipDigits } from "./go/number-text.ts";
import { goQuote } from "./go/quote.ts";
import { builtin, failure, isInt64, operand, textOperand } from "./operands.ts";

interface Version {
  readonly numbers: readonly bigint[];
  readonly preRelease: string;
}

function isIdentifierUnit(unit: number): boolean {
  const letter = unit | 0x20;
  return isDigit(unit) || unit === 0x2d || (letter >= 0x61 && letter <= 0x7a);
}

function isIdentifier(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (!isIdentifierUnit(text.charCodeAt(index))) {
      return false;
    }
  }
  return text !== "";
}

const isNumeric = (text: string): boolean => text !== "" && skipDigits(text, 0) === text.length;

function isPreRelease(text: string): boolean {
  return text
    .split(".")
    .every((part) => isIdentifier(part) && !(part.length > 1 && part.startsWith("0") && isNumeric(part)));
}

function numericPart(text: string): bigint | undefined {
  if (!isNumeric(text) || (text.length > 1 && text.startsWith("0")) || text.length > 19) {
    return undefined;
  }
  const value = BigInt(text);
  return isInt64(value) ? value : undefined;
}

/** What stands before and behind the first separator; undefined behind when there is none. */
function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** UTF-16 units of a version. OPA has no such limit, and no version comes near it. */
const maxVersionLength = 64 * 1024;

/** Throws `LimitError` for a version beyond all measure. */
export function parseSemver(text: string): Version | undefined {
  if (text.length > maxVersionLength) {
    throw new LimitError(`a version may have at most ${maxVersionLength} characters`);
  }
  const [withoutMetadata, metadata] = cut(text.startsWith("v") ? text.slice(1) : text, "+");
  if (metadata !== undefined && !metadata.split(".").every(isIdentifier)) {
    return undefined;
  }
  const [core, preRelease] = cut(withoutMetadata, "-");
  if (preRelease !== undefined && !isPreRelease(preRelease)) {
    return undefined;
  }
  const parts = core.split(".");
  const numbers = parts.map(numericPart).filter((part) => part !== undefined);
  return parts.length === 3 && numbers.length === 3 ? { numbers, preRelease: preRelease ?? "" } : undefined;
}

function compareIdentifiers(left: string, right: string): number {
  const leftNumeric = isNumeric(left);
  if (leftNumeric !== isNumeric(right)) {
    return leftNumeric ? -1 : 1;
  }
  // Numeric identifiers have no leading zeros, so the longer one is the larger.
  return leftNumeric && left.length !== right.length
    ? left.length - right.length
    : compareStrings(left, right);
}

function comparePreReleases(left: string, right: string): number {
  if (left === right) {
    return 0;
  }
  if (left === "" || right === "") {
    return left === "" ? 1 : -1;
  }
  const lefts = left.split(".");
  const rights = right.split(".");
  for (let index = 0; index < Math.min(lefts.length, rights.length); index += 1) {
    const order = compareIdentifiers(lefts[index] ?? "", rights[index] ?? "");
    if (order !== 0) {
      return order;
    }
  }
  return lefts.length - rights.length;
}

export function compareSemvers(left: Version, right: Version): number {
  for (const [index, number] of left.numbers.entries()) {
    const order = compareNumbers(number, right.numbers[index] ?? 0n);
    if (order !== 0) {
      return order;
    }
  }
  return Math.sign(comparePreReleases(left.preRelease, right.preRelease));
}

function versionOperand(args: readonly RegoValue[], position: number): Version {
  const text = textOperand(args, position);
  const version = parseSemver(text);
  if (version === undefined) {
    throw failure(`operand ${position}: string ${goQuote(text)} is not a valid SemVer`);
  }
  return version;
}

export const semverBuiltins: readonly Builtin[] = [
  builtin("semver.compare", 2, (args) => {
    textOperand(args, 1);
    textOperand(args, 2);
    return compareSemvers(versionOperand(args, 1), versionOperand(args, 2));
  }),
  builtin("semver.is_valid", 1, (args) => {
    const value = operand(args, 1);
    return typeof value === "string" && parseSemver(value) !== undefined;
  }),
];
