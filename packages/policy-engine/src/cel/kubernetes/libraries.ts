import { listsLibrary as celListsLibrary } from "../ext/lists.ts";
import { optionalsLibrary } from "../ext/optionals.ts";
import { stringsLibrary } from "../ext/strings.ts";
import { twoVariableLibrary } from "../ext/two-variable.ts";
import type { Library } from "../library.ts";
import { authorizerLibrary, authorizerSelectorsLibrary } from "./authorizer.ts";
import { cidrLibrary } from "./cidr.ts";
import { formatLibrary } from "./format.ts";
import { ipLibrary } from "./ip.ts";
import { listIncludesLibrary, listsLibrary } from "./lists.ts";
import { patchLibrary } from "./patch-types.ts";
import { quantityLibrary } from "./quantity.ts";
import { regexLibrary } from "./regex.ts";
import { semverLibrary } from "./semver.ts";
import { setsLibrary } from "./sets.ts";
import { urlsLibrary } from "./urls.ts";

/** A library and the minor version of Kubernetes 1 that came with it first. */
export interface VersionedLibrary {
  readonly library: Library;
  readonly minor: number;
}

/**
 * By apiserver's pkg/cel/environment/base.go, where what was always there counts as 1.0. To be able to roll back, a
 * server of minor N accepts in a new expression only what N-1 had.
 */
export const versionedLibraries: readonly VersionedLibrary[] = [
  { library: urlsLibrary, minor: 0 },
  { library: regexLibrary, minor: 0 },
  { library: listsLibrary, minor: 0 },
  { library: authorizerLibrary, minor: 27 },
  { library: quantityLibrary, minor: 28 },
  { library: setsLibrary, minor: 29 },
  { library: ipLibrary, minor: 30 },
  { library: cidrLibrary, minor: 30 },
  { library: formatLibrary, minor: 31 },
  { library: authorizerSelectorsLibrary, minor: 31 },
  { library: semverLibrary, minor: 33 },
  { library: listIncludesLibrary, minor: 37 },
];

/** Of macros with two variables, such as `all(key, value, …)`: they come down to loops and call no function. */
export const twoVariableMinor = 32;

const strings = stringsLibrary({ version: 2 });
/** From version 1 of cel-go's strings on; before 1.29 servers had version 0. */
const laterStrings: ReadonlySet<string> = new Set(["format", "strings.quote"]);

function partOf(library: Library, isIn: (name: string) => boolean): Library {
  return { ...library, functions: library.functions.filter(({ name }) => isIn(name)) };
}

/** cel-go's own libraries that servers have, by the same file. */
const celGoLibraries: readonly VersionedLibrary[] = [
  { library: partOf(strings, (name) => !laterStrings.has(name)), minor: 0 },
  { library: optionalsLibrary, minor: 28 },
  { library: partOf(strings, (name) => laterStrings.has(name)), minor: 29 },
  { library: twoVariableLibrary, minor: twoVariableMinor },
  { library: celListsLibrary, minor: 34 },
];

/** All of them, for the newest server. Expressions that make patches need `patchLibrary` besides. */
export const kubernetesLibraries: readonly Library[] = versionedLibraries.map(({ library }) => library);

/** What a server of this minor version has. */
export function librariesOfMinor(minor: number): readonly Library[] {
  return versionedLibraries.filter((versioned) => versioned.minor <= minor).map(({ library }) => library);
}

const minorByOverload: ReadonlyMap<string, number> = new Map(
  // Mutating policies came with 1.32, and with them the functions for patches.
  [...celGoLibraries, ...versionedLibraries, { library: patchLibrary, minor: 32 }].flatMap(
    ({ library, minor }) =>
      library.functions.flatMap(({ overloads }) => overloads.map(({ id }) => [id, minor] as const)),
  ),
);

/** The minor version that an overload came with; undefined for those of CEL itself, which every server has. */
export function introducedInMinor(overloadId: string): number | undefined {
  return minorByOverload.get(overloadId);
}
