import { CelError } from "../errors.ts";
import type { Library } from "../library.ts";
import { BOOL, INT, STRING } from "../types.ts";
import { type CelValue, makeInt } from "../values.ts";
import { functions, methods, shape } from "./declare.ts";
import { asInstance, asText, KubernetesValue, SEMVER } from "./kubernetes-types.ts";
import type { Parsed } from "./parsed.ts";
import {
  compareVersions,
  parseLenientVersion,
  parseVersion,
  type SemanticVersion,
} from "./semantic-version.ts";

/** apiserver's pkg/cel/library/semverlib.go. */

export class SemverValue extends KubernetesValue {
  readonly type = SEMVER;
  readonly version: SemanticVersion;
  override readonly work: number;

  constructor(version: SemanticVersion) {
    super();
    this.work = 1 + version.prerelease.length;
    this.version = version;
  }

  /** By precedence: build metadata makes no difference. */
  protected override equalsSameType(other: KubernetesValue): boolean {
    return other instanceof SemverValue && compareVersions(this.version, other.version) === 0;
  }
}

function parse(text: CelValue, normalize: CelValue): Parsed<SemanticVersion> {
  return normalize === true ? parseLenientVersion(asText(text)) : parseVersion(asText(text));
}

function toSemver(text: CelValue, normalize: CelValue): SemverValue {
  const version = parse(text, normalize);
  if ("error" in version) throw new CelError(version.error);
  return new SemverValue(version.value);
}

const versionOf = (value: CelValue): SemanticVersion => asInstance(value, SemverValue).version;

const compare = (a: CelValue, b: CelValue): number => compareVersions(versionOf(a), versionOf(b));

/** The numbers are uint64; beyond int64 they come out negative, as on the server. */
function numberMethod(name: "major" | "minor" | "patch") {
  return methods(
    name,
    shape(`semver_${name}`, [SEMVER], INT, (value = null) =>
      makeInt(BigInt.asIntN(64, versionOf(value)[name])),
    ),
  );
}

export const semverLibrary: Library = {
  name: "kubernetes.Semver",
  functions: [
    functions(
      "semver",
      shape("string_to_semver", [STRING], SEMVER, (text = null) => toSemver(text, false)),
      shape("string_bool_to_semver", [STRING, BOOL], SEMVER, (text = null, normalize = false) =>
        toSemver(text, normalize),
      ),
    ),
    functions(
      "isSemver",
      shape("is_semver_string", [STRING], BOOL, (text = null) => "value" in parse(text, false)),
      shape(
        "is_semver_string_bool",
        [STRING, BOOL],
        BOOL,
        (text = null, normalize = false) => "value" in parse(text, normalize),
      ),
    ),
    methods(
      "isGreaterThan",
      shape("semver_is_greater_than", [SEMVER, SEMVER], BOOL, (a = null, b = null) => compare(a, b) > 0),
    ),
    methods(
      "isLessThan",
      shape("semver_is_less_than", [SEMVER, SEMVER], BOOL, (a = null, b = null) => compare(a, b) < 0),
    ),
    methods(
      "compareTo",
      shape("semver_compare_to", [SEMVER, SEMVER], INT, (a = null, b = null) => compare(a, b)),
    ),
    numberMethod("major"),
    numberMethod("minor"),
    numberMethod("patch"),
  ],
};
