import {
  asShieldPolicy,
  InvalidObjectError,
  namespacedShieldPolicyKind,
  parseNamespacedShieldPolicy,
  parseShieldException,
  parseShieldPolicy,
  policyTitle,
  type ShieldException,
  type ShieldPolicy,
  shieldPolicyKind,
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

/** Whether a manifest is of a policy, of the cluster or of a tenant. */
export function isPolicy({ object: { apiVersion, kind } }: Manifest): boolean {
  return apiVersion.startsWith("shieldx.io/") && kinds.includes(kind);
}

const kinds: readonly string[] = [shieldPolicyKind.kind, namespacedShieldPolicyKind.kind];

/** The policy of a manifest; a tenant's is called `namespace/name`. Throws UsageError naming file, line and field. */
export function parsedPolicy(manifest: Manifest): ShieldPolicy {
  return manifest.object.kind === namespacedShieldPolicyKind.kind
    ? asShieldPolicy(parsedPolicyObject(manifest, parseNamespacedShieldPolicy))
    : parsedPolicyObject(manifest, parseShieldPolicy);
}

/** Policies, exceptions and what parameters there may be under `paths`. Throws UsageError when no policy is found. */
export async function loadPolicies(paths: readonly string[]): Promise<LoadedPolicies> {
  const all = await readManifests(paths);
  const isOurs = ({ object }: Manifest): boolean => object.apiVersion.startsWith("shieldx.io/");
  const ours = all.filter(isOurs);
  const parameters = all.filter((manifest) => !isOurs(manifest)).map(({ object }) => object);
  const policies = ours.filter(isPolicy).map(parsedPolicy);
  const exceptions = ours
    .filter(({ object }) => object.kind === "ShieldException")
    .map((m) => parsedPolicyObject(m, parseShieldException));
  if (policies.length === 0) throw new UsageError("NoPolicies", `no ShieldPolicy in ${paths.join(", ")}`);
  const twice = policies.map((p) => p.metadata.name).find((name, i, all) => all.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError("DuplicatePolicy", `${policyTitle(twice)} is given twice: keep one`);
  return { policies, exceptions, parameters };
}
