/** What the program of a policy is compiled from. */
import type { RegoSpec } from "@shieldx/crds";
import type { SnapshotBundle } from "../rego/bundle/index.ts";
import type { RegoSource } from "../rego/program/index.ts";

/** What a policy says of how its module, or its bundle, is to be compiled. */
export type RegoUse = Pick<RegoSpec, "version" | "entrypoint" | "allowedHosts">;

export function moduleSource({
  module,
  libs = [],
  version,
  entrypoint,
  allowedHosts,
}: RegoSpec): RegoSource | undefined {
  if (module === undefined) return undefined;
  const further = libs.map((source, at) => [`libs[${at}].rego`, source] as const);
  return {
    modules: { "policy.rego": module, ...Object.fromEntries(further) },
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
  { version = "v1", entrypoint, allowedHosts }: RegoUse,
): RegoSource | { readonly problem: string } {
  const { modules, data, plan } = bundle;
  if (modules.length === 0 && plan === undefined)
    return { problem: "the bundle has neither modules nor a plan: build it with the policies in it" };
  const written = modulesOf(bundle, version);
  if ("problem" in written) return written;
  return { ...written, data, plan, identity, entrypoint, ...hostsPart(allowedHosts) };
}

/**
 * The modules of a bundle, and the version that each is written in: as its manifest says, and where that says nothing as
 * the policy does, which is how OPA takes the version it is started with (v1/bundle `RegoVersionForFile`).
 */
export function modulesOf(
  { modules }: Pick<SnapshotBundle, "modules">,
  version: RegoSource["version"],
): Pick<RegoSource, "modules" | "version" | "versions"> | { readonly problem: string } {
  const versions: [string, RegoSource["version"]][] = [];
  for (const { path, regoVersion = version } of modules) {
    if (regoVersion === "v2")
      return {
        problem: `${path} is written in Rego v2 by the bundle's manifest, which OPA keeps for what is not released yet: build it with rego_version 0 or 1`,
      };
    if (regoVersion !== version) versions.push([path, regoVersion]);
  }
  return {
    modules: Object.fromEntries(modules.map(({ path, source }) => [path, source])),
    version,
    ...(versions.length === 0 ? {} : { versions: Object.fromEntries(versions) }),
  };
}
