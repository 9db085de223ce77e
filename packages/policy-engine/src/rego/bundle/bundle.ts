/** What a bundle holds once it is read: OPA's v1/bundle, without what ShieldX does not run. */
import type { RegoPlan } from "../plan/index.ts";
import type { PlainObject, RegoValue } from "../values.ts";
import type { Roots } from "./roots.ts";

/** The version of the language a module is written in: 0, 1 or 2 in a manifest. */
export type RegoVersion = "v0" | "v1" | "v2";

export interface Manifest {
  /** Empty where the bundle names none. */
  readonly revision: string;
  /** The parts of `data` that are the bundle's; all of it where the manifest names none. */
  readonly roots: Roots;
  readonly metadata: PlainObject;
}

export interface BundleModule {
  /** Path in the bundle, without a leading slash. */
  readonly path: string;
  readonly source: string;
  /** As the manifest says; undefined where it says nothing: whoever compiles the bundle decides. */
  readonly regoVersion: RegoVersion | undefined;
  /** `data.` left out: `["http", "authz"]`. */
  readonly package: readonly string[];
}

/** All there is under the bundle's roots. Nothing of it changes once it is read. */
export interface SnapshotBundle {
  readonly kind: "snapshot";
  readonly manifest: Manifest;
  readonly modules: readonly BundleModule[];
  readonly data: PlainObject;
  /** A plan compiled ahead (`opa build -t plan`). */
  readonly plan: RegoPlan | undefined;
  /** How many values the data may have, at most; see `BundleLimits.values`. */
  readonly values: number;
}

export type PatchOperation =
  | { readonly op: "upsert" | "replace"; readonly path: readonly string[]; readonly value: RegoValue }
  | { readonly op: "remove"; readonly path: readonly string[] };

/** Changes to the data of a snapshot. */
export interface DeltaBundle {
  readonly kind: "delta";
  readonly manifest: Manifest;
  readonly patch: readonly PatchOperation[];
  readonly values: number;
}

export type Bundle = SnapshotBundle | DeltaBundle;
