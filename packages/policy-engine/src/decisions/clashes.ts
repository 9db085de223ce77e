/** Which policies can be served side by side: whose answer one is must not be a matter of luck. */
import type { ServedPolicy } from "./documents.ts";
import type { ServeProblem } from "./serve.ts";

/** What a policy has for itself: a package, a rule's value with all that is in it, or all of a bundle's root. */
interface Claim {
  readonly path: readonly string[];
  readonly of: "package" | "rule" | "root";
}

/**
 * Of policies that claim one place, the first is served. Two packages clash where they are one; a root of a bundle is a
 * bundle's alone, so that it clashes with what lies in it and what it lies in (v1/bundle RootPathsOverlap, and OPA's
 * server, which takes no policy into the roots of a bundle). A package that lies in another's rule clashes with it, as it does
 * for OPA's compiler.
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
function claimsOf({ packages, documents, roots }: ServedPolicy): Claim[] {
  if (roots !== undefined) return roots.map((path) => ({ path, of: "root" }));
  const rules = documents.filter(({ isRule }) => isRule);
  return [
    ...packages.map((path): Claim => ({ path, of: "package" })),
    ...rules.map(({ path }): Claim => ({ path, of: "rule" })),
  ];
}

interface Place {
  readonly children: Map<string, Place>;
  claim: { readonly owner: string; readonly of: Claim["of"] } | undefined;
  /** Somebody with a claim here or below. */
  user: string | undefined;
}

const newPlace = (): Place => ({ children: new Map(), claim: undefined, user: undefined });

class Claims {
  readonly #top = newPlace();

  add({ path, of }: Claim, owner: string): void {
    let place = this.#top;
    place.user ??= owner;
    for (const name of path) {
      const child = place.children.get(name) ?? newPlace();
      place.children.set(name, child);
      child.user ??= owner;
      place = child;
    }
    place.claim ??= { owner, of };
  }

  /** What stands against the claim, and what to do about it. */
  clashOf({ path, of }: Claim): string | undefined {
    let place: Place | undefined = this.#top;
    for (const name of [...path, undefined]) {
      const { claim }: Place = place;
      if (claim?.of === "root")
        return `${nameOf(path)} belongs to the bundle of ShieldPolicy ${claim.owner}: ${remedy}`;
      if (claim?.of === "rule")
        return `${nameOf(path)} lies in a rule of ShieldPolicy ${claim.owner}: ${another}`;
      if (name === undefined) break;
      place = place.children.get(name);
      if (place === undefined) return undefined;
    }
    if (of === "root" && place.user !== undefined)
      return `its bundle owns ${nameOf(path)}, where ShieldPolicy ${place.user} is served already: ${remedy}`;
    if (of === "rule" && place.user !== undefined)
      return `its rule ${nameOf(path)} would hide what ShieldPolicy ${place.user} serves there: ${another}`;
    if (of === "package" && place.claim !== undefined)
      return `package ${path.join(".")} is served by ShieldPolicy ${place.claim.owner} already: ${another}`;
    return undefined;
  }
}

const another = "give one of them another package";
const remedy = 'name the places of their own as "roots" in the manifest of each bundle';

function nameOf(path: readonly string[]): string {
  return path.length === 0 ? "all of data" : ["data", ...path].join(".");
}
