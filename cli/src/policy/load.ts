import {
  InvalidObjectError,
  parseShieldException,
  parseShieldPolicy,
  type ShieldException,
  type ShieldPolicy,
} from "@shieldx/crds";
import { UsageError } from "../errors.ts";
import { type Manifest, readManifests } from "../manifests/read.ts";

export interface LoadedPolicies {
  readonly policies: readonly ShieldPolicy[];
  readonly exceptions: readonly ShieldException[];
  /** What else is there: policies may take parameters from it. */
  readonly parameters: readonly unknown[];
}

/** What `parse` makes of it. Throws UsageError naming file, line and field. */
export function parsedPolicyObject<T>(manifest: Manifest, parse: (value: unknown) => T): T {
  try {
    return parse(manifest.object);
  } catch (error) {
    if (!(error instanceof InvalidObjectError)) throw error;
    throw new UsageError("InvalidPolicy", `${manifest.file}:${manifest.line}: ${error.message}`, {
      cause: error,
    });
  }
}

/** Policies, exceptions and what parameters there may be under `paths`. Throws UsageError when no policy is found. */
export async function loadPolicies(paths: readonly string[]): Promise<LoadedPolicies> {
  const all = await readManifests(paths);
  const isOurs = ({ object }: Manifest): boolean => object.apiVersion.startsWith("shieldx.io/");
  const ours = all.filter(isOurs);
  const parameters = all.filter((manifest) => !isOurs(manifest)).map(({ object }) => object);
  const policies = ours
    .filter(({ object }) => object.kind === "ShieldPolicy")
    .map((m) => parsedPolicyObject(m, parseShieldPolicy));
  const exceptions = ours
    .filter(({ object }) => object.kind === "ShieldException")
    .map((m) => parsedPolicyObject(m, parseShieldException));
  if (policies.length === 0) throw new UsageError("NoPolicies", `no ShieldPolicy in ${paths.join(", ")}`);
  const twice = policies.map((p) => p.metadata.name).find((name, i, all) => all.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError("DuplicatePolicy", `ShieldPolicy "${twice}" is given twice: keep one`);
  return { policies, exceptions, parameters };
}
