/** Which policies can be served side by side: whose answer one is must not be a matter of luck. */
import type { ServedPolicy } from "./documents.ts";
import type { ServeProblem } from "./serve.ts";

/** What a policy has for itself: a package, or all of a bundle's root. */
interface Claim {
  readonly path: readonly string[];
  readonly isRoot: boolean;
}

/**
 * Of policies that claim one place, the first is served. Two packages clash where they are one; a root of a bundle is a
 * bundle's alone, so that it clashes with what lies in it and what it lies in (v1/bundle RootPathsOverlap, and OPA's
 * server, which takes no policy into the roots of a bundle).
 */
export function withoutClashes(policies: readonly ServedPolicy[]): {
  readonly served: readonly ServedPolicy[];
  readonly problems: readonly ServeProblem[];
} {
  const taken = new Claims();
  const served: ServedPolicy[] = [];
  const problems: ServeProblem[] = [];
  for (const policy of policies) {
    const claims = claimsOf(policy);
    const clash = claims.flatMap((claim) => taken.clashOf(claim) ?? [])[0];
    if (clash === undefined) {
      for (const claim of claims) taken.add(claim, policy.name);
      served.push(policy);
    } else problems.push({ policy: policy.name, message: clash });
  }
  return { served, problems };
}

/** The packages of a bundle lie in its roots. */
function claimsOf({ packages, roots }: ServedPolicy): Claim[] {
  return roots === undefined
    ? packages.map((path) => ({ path, isRoot: false }))
    : roots.map((path) => ({ path, isRoot: true }));
}

interface Place {
  readonly children: Map<string, Place>;
  claim: { readonly owner: string; readonly isRoot: boolean } | undefined;
  /** Somebody with a claim here or below. */
  user: string | undefined;
}

const newPlace = (): Place => ({ children: new Map(), claim: undefined, user: undefined });

class Claims {
  readonly #top = newPlace();

  add({ path, isRoot }: Claim, owner: string): void {
    let place = this.#top;
    place.user ??= owner;
    for (const name of path) {
      const child = place.children.get(name) ?? newPlace();
      place.children.set(name, child);
      child.user ??= owner;
      place = child;
    }
    place.claim ??= { owner, isRoot };
  }

  /** What stands against the claim, and what to do about it. */
  clashOf({ path, isRoot }: Claim): string | undefined {
    let place: Place | undefined = this.#top;
    for (const name of [...path, undefined]) {
      const { claim }: Place = place;
      if (claim?.isRoot === true)
        return `${nameOf(path)} belongs to the bundle of ShieldPolicy ${claim.owner}: ${remedy}`;
      if (name === undefined) break;
      place = place.children.get(name);
      if (place === undefined) return undefined;
    }
    if (isRoot && place.user !== undefined)
      return `its bundle owns ${nameOf(path)}, where ShieldPolicy ${place.user} is served already: ${remedy}`;
    if (!isRoot && place.claim !== undefined)
      return `package ${path.join(".")} is served by ShieldPolicy ${place.claim.owner} already: give one of them another package`;
    return undefined;
  }
}

const remedy = 'name the places of their own as "roots" in the manifest of each bundle';

function nameOf(path: readonly string[]): string {
  return path.length === 0 ? "all of data" : ["data", ...path].join(".");
}
