/** What is compiled as one program. */
import { createHash } from "node:crypto";
import type { RegoPlan } from "../plan/index.ts";
import type { PlainObject } from "../values.ts";

export interface RegoSource {
  /** Source by path; paths appear in messages where there are several. */
  readonly modules: Readonly<Record<string, string>>;
  /** Documents that come with the modules, below `data`. */
  readonly data?: PlainObject;
  /** Compiled ahead by whoever made the modules: used as it is where it has the entrypoint. */
  readonly plan?: RegoPlan | undefined;
  /** Stands for modules, their versions, documents and plan, where these are too large to be compared each time. */
  readonly identity?: string;
  /** Of modules that `versions` does not name. */
  readonly version: "v0" | "v1";
  /** By path: modules that are written in another version. */
  readonly versions?: Readonly<Record<string, "v0" | "v1">>;
  /** Rule that holds what is wrong, such as `data.shieldx.deny`; left out, one of `defaultRules`. */
  readonly entrypoint?: string | undefined;
  /** Whether `http.send` may be called; which hosts it reaches is said when it is evaluated. */
  readonly callsHosts?: boolean;
}

/** Names of the rule that holds what is wrong: Gatekeeper's, then OPA's. The first that the package has counts. */
export const defaultRules: readonly string[] = ["violation", "deny"];

/** SHA-256, in hex: equal for equal sources. */
export function sourceKey({
  modules,
  versions = {},
  data,
  version,
  entrypoint,
  identity,
  callsHosts,
}: RegoSource): string {
  const parts = identity === undefined ? [sorted(modules), sorted(versions), data ?? null] : [identity];
  return createHash("sha256")
    .update(JSON.stringify([parts, version, entrypoint ?? null, callsHosts ?? false]))
    .digest("hex");
}

function sorted(byPath: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(byPath).sort(([a], [b]) => (a < b ? -1 : 1));
}
