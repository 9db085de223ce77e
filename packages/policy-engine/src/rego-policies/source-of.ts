/** What the program of a policy is compiled from. */
import type { RegoSpec } from "@shieldx/crds";
import type { SnapshotBundle } from "../rego/bundle/index.ts";
import type { RegoSource } from "../rego/program/index.ts";

/** What a policy says of how its module, or its bundle, is to be compiled. */
export type RegoUse = Pick<RegoSpec, "version" | "entrypoint" | "allowedHosts">;

export function moduleSource({
  module,
  version,
  entrypoint,
  allowedHosts,
}: RegoSpec): RegoSource | undefined {
  if (module === undefined) return undefined;
  return {
    modules: { "policy.rego": module },
    version: version ?? "v1",
    entrypoint,
    ...hostsPart(allowedHosts),
  };
}

function hostsPart(allowedHosts: RegoSpec["allowedHosts"]): Pick<RegoSource, "callsHosts"> {
  return (allowedHosts ?? []).length === 0 ? {} : { callsHosts: true };
}

/** @param identity tells this bundle from those before it. Returns why it cannot be compiled where it cannot. */
export function bundleSource(
  bundle: SnapshotBundle,
  identity: string,
  { version: asked, entrypoint, allowedHosts }: RegoUse,
): RegoSource | { readonly problem: string } {
  const { modules, data, plan } = bundle;
  const [first, ...others] = modules;
  if (first === undefined && plan === undefined)
    return { problem: "the bundle has neither modules nor a plan: build it with the policies in it" };
  // Manifests mostly name no version: a policy that says v0 speaks for all of its bundle.
  const version = asked === "v0" ? asked : (first?.regoVersion ?? asked);
  const other = asked === "v0" ? undefined : others.find(({ regoVersion }) => regoVersion !== version);
  if (first !== undefined && other !== undefined)
    return {
      problem: `${first.path} is written in Rego ${first.regoVersion}, ${other.path} in ${other.regoVersion}: build a bundle of one version`,
    };
  if (version === "v2")
    return {
      problem: "the bundle's rego_version is 2, which is for OPA's own transition: build it with 0 or 1",
    };
  return {
    modules: Object.fromEntries(modules.map(({ path, source }) => [path, source])),
    data,
    plan,
    identity,
    version,
    entrypoint,
    ...hostsPart(allowedHosts),
  };
}
