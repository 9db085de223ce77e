import { byteLength, quote } from "./go-strings.ts";
import { type Parsed, parsed, unparsed } from "./parsed.ts";

/**
 * Semantic versions (semver.org 2.0.0) as blang/semver v4, the server's parser, reads and orders them. Its error
 * texts are kept, their capital letters included.
 */
export interface SemanticVersion {
  /** At most uint64. */
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  /** Pre-release identifiers: a number for those of digits only. */
  readonly prerelease: readonly (string | bigint)[];
}

const uint64Max = 2n ** 64n - 1n;

/** Reads a version in full form. */
export function parseVersion(text: string): Parsed<SemanticVersion> {
  if (text === "") return unparsed("Version string empty");
  const [major, minor, rest] = splitInThree(text);
  if (minor === undefined || rest === undefined) return unparsed("No Major.Minor.Patch elements found");
  const majorNumber = parseNumber(major, "Major", "major");
  if ("error" in majorNumber) return majorNumber;
  const minorNumber = parseNumber(minor, "Minor", "minor");
  if ("error" in minorNumber) return minorNumber;
  const [withoutBuild, build] = cutAt(rest, "+");
  const [patch, prerelease] = cutAt(withoutBuild, "-");
  const patchNumber = parseNumber(patch, "Patch", "patch");
  if ("error" in patchNumber) return patchNumber;
  const identifiers = parsePrerelease(prerelease);
  if ("error" in identifiers) return identifiers;
  const buildError = build === undefined ? undefined : buildFlaw(build);
  if (buildError !== undefined) return unparsed(buildError);
  return parsed({
    major: majorNumber.value,
    minor: minorNumber.value,
    patch: patchNumber.value,
    prerelease: identifiers.value,
  });
}

/**
 * Reads a version written more freely: a leading `v`, leading zeros and missing minor and patch numbers are put
 * right first (`normalizeAndParse` in apiserver's pkg/cel/library/semverlib.go).
 */
export function parseLenientVersion(text: string): Parsed<SemanticVersion> {
  const parts = splitInThree(text.startsWith("v") ? text.slice(1) : text).map(withoutLeadingZeros);
  const last = parts.at(-1) ?? "";
  if (parts.length < 3 && /[+-]/.test(last)) {
    return unparsed("short version cannot contain PreRelease/Build meta data");
  }
  while (parts.length < 3) parts.push("0");
  return parseVersion(parts.join("."));
}

/** Up to three parts: the third keeps its dots. */
function splitInThree(text: string): [string, ...string[]] {
  const first = text.indexOf(".");
  if (first < 0) return [text];
  const second = text.indexOf(".", first + 1);
  if (second < 0) return [text.slice(0, first), text.slice(first + 1)];
  return [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
}

function cutAt(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function withoutLeadingZeros(part: string): string {
  if (byteLength(part) < 2) return part;
  const trimmed = part.replace(/^0+/, "");
  return /^[0-9]/.test(trimmed) ? trimmed : `0${trimmed}`;
}

function parseNumber(digits: string, capital: string, name: string): Parsed<bigint> {
  if (!/^[0-9]*$/.test(digits))
    return unparsed(`Invalid character(s) found in ${name} number ${quote(digits)}`);
  if (/^0./.test(digits))
    return unparsed(`${capital} number must not contain leading zeroes ${quote(digits)}`);
  return parseUint64(digits);
}

/** With the errors of Go's `strconv.ParseUint`. */
function parseUint64(digits: string): Parsed<bigint> {
  const failure = (reason: string): { readonly error: string } =>
    unparsed(`strconv.ParseUint: parsing ${quote(digits)}: ${reason}`);
  if (digits === "") return failure("invalid syntax");
  // 2^64 has 20 digits; leading zeros were dealt with.
  if (digits.length > 20) return failure("value out of range");
  const value = BigInt(digits);
  return value > uint64Max ? failure("value out of range") : parsed(value);
}

function parsePrerelease(text: string | undefined): Parsed<(string | bigint)[]> {
  if (text === undefined) return parsed([]);
  const identifiers: (string | bigint)[] = [];
  for (const identifier of text.split(".")) {
    const read = parseIdentifier(identifier);
    if ("error" in read) return read;
    identifiers.push(read.value);
  }
  return parsed(identifiers);
}

function parseIdentifier(text: string): Parsed<string | bigint> {
  if (text === "") return unparsed("Prerelease is empty");
  if (!/^[0-9]+$/.test(text)) {
    if (/^[0-9A-Za-z-]+$/.test(text)) return parsed(text);
    return unparsed(`Invalid character(s) found in prerelease ${quote(text)}`);
  }
  if (/^0./.test(text)) {
    return unparsed(`Numeric PreRelease version must not contain leading zeroes ${quote(text)}`);
  }
  return parseUint64(text);
}

/** Build metadata is checked and then forgotten: it takes no part in the order. */
function buildFlaw(text: string): string | undefined {
  for (const identifier of text.split(".")) {
    if (identifier === "") return "Build meta data is empty";
    if (!/^[0-9A-Za-z-]+$/.test(identifier)) {
      return `Invalid character(s) found in build meta data ${quote(identifier)}`;
    }
  }
  return undefined;
}

/** -1, 0 or 1 by precedence (semver.org §11). */
export function compareVersions(a: SemanticVersion, b: SemanticVersion): number {
  return (
    order(a.major, b.major) ||
    order(a.minor, b.minor) ||
    order(a.patch, b.patch) ||
    comparePrereleases(a.prerelease, b.prerelease)
  );
}

function order<T extends bigint | string | number>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A version without pre-release comes after those with one. */
function comparePrereleases(a: readonly (string | bigint)[], b: readonly (string | bigint)[]): number {
  if (a.length === 0 || b.length === 0) return order(Math.min(b.length, 1), Math.min(a.length, 1));
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at++) {
    const difference = compareIdentifiers(a[at] ?? "", b[at] ?? "");
    if (difference !== 0) return difference;
  }
  return order(a.length, b.length);
}

/** Numbers come before words. */
function compareIdentifiers(a: string | bigint, b: string | bigint): number {
  if (typeof a === "bigint") return typeof b === "bigint" ? order(a, b) : -1;
  return typeof b === "bigint" ? 1 : order(a, b);
}
