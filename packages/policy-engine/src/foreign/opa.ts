/** OPA's bundles: a policy that fetches one, or its modules written into the policy. */

import { pluralOf } from "../offline/resource-of.ts";
import { BundleError, readBundle, type SnapshotBundle } from "../rego/index.ts";
import { kindsOf, openGroups } from "./built-in-kinds.ts";
import { finished } from "./draft.ts";
import type { Imported, Note } from "./foreign.ts";
import { LiteralError, regoLiteral } from "./literals.ts";
import { type Plain, stated } from "./plain.ts";
import { Source } from "./source.ts";

export interface OpaBundleOptions {
  /** What to call the policy. */
  readonly name: string;
  /** Where ShieldX is to fetch it from; left out, its modules are written into the policy. */
  readonly url?: string | undefined;
  /** Rule that holds what is wrong, e.g. `data.kubernetes.admission.deny`; left out, it is looked for. */
  readonly entrypoint?: string | undefined;
  /** Version of the language where the bundle's manifest names none; left out, `v1`. */
  readonly version?: "v0" | "v1" | undefined;
}

/** Never throws for what the bytes are. */
export function importOpaBundle(bytes: Uint8Array, options: OpaBundleOptions): Imported {
  const { name, url, entrypoint, version } = options;
  const notes: Note[] = [];
  const source = new Source({}, { apiVersion: "", kind: "Bundle", name }, notes);
  const bundle = opened(bytes, source);
  const rule = bundle === undefined ? undefined : (entrypoint ?? entrypointOf(bundle, source));
  if (bundle === undefined || rule === undefined) return { policies: [], notes, left: [] };
  const rego =
    url === undefined
      ? inline(bundle, rule, version, source)
      : stated({ bundle: { url }, entrypoint: rule, version });
  if (rego === undefined || source.isFaulty) return { policies: [], notes, left: [] };
  source.lost(
    "",
    "a bundle does not say which requests it is about: the built-in kinds are named; leave in spec.matchConstraints.resourceRules what the rules look at, and add your own",
  );
  const spec = {
    engine: "rego",
    matchConstraints: { resourceRules: builtInRules() },
    rego,
    actions: { admission: "deny", background: "off" },
  };
  return { policies: finished([{ from: [source], names: [name], spec }], []), notes, left: [] };
}

function opened(bytes: Uint8Array, source: Source): SnapshotBundle | undefined {
  try {
    const bundle = readBundle(bytes);
    if (bundle.kind === "snapshot") return bundle;
    source.error("", "is a delta, which only changes another bundle: give that one");
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    source.error("", `cannot be read as a bundle: ${error.message}`);
  }
  return undefined;
}

const ruleNames = ["violation", "deny"];

/** The rule of the one package that has one; `kubernetes.admission`, OPA's own example, before others. */
function entrypointOf({ modules }: SnapshotBundle, source: Source): string | undefined {
  const found = new Set(
    modules.flatMap((module) =>
      ruleNames
        .filter((rule) => module.source.split("\n").some((line) => beginsRule(line, rule)))
        .map((rule) => `data.${module.package.join(".")}.${rule}`),
    ),
  );
  const usual = [...found].find((reference) => reference.startsWith("data.kubernetes.admission."));
  const [only, ...others] = [...found];
  if (usual !== undefined) return usual;
  if (only !== undefined && others.length === 0) return only;
  const what =
    only === undefined
      ? "has no rule named violation or deny"
      : `has several rules that may be meant: ${[...found].slice(0, 8).join(", ")}`;
  source.error("", `${what}: name the one with --entrypoint`);
  return undefined;
}

function beginsRule(line: string, rule: string): boolean {
  const text = line.trimStart().replace(/^default +/, "");
  return text.startsWith(rule) && !/^\w/.test(text.slice(rule.length));
}

function inline(
  { modules, data, plan }: SnapshotBundle,
  entrypoint: string,
  fallback: "v0" | "v1" | undefined,
  source: Source,
): Plain | undefined {
  const versions = new Set(modules.map(({ regoVersion }) => regoVersion ?? fallback ?? "v1"));
  const [version, ...others] = [...versions];
  if (version === undefined || others.length > 0 || version === "v2") {
    const why =
      version === undefined
        ? `has no modules${plan === undefined ? "" : ", only a plan"}`
        : "has modules of different versions of Rego";
    source.error("", `${why}: let ShieldX fetch it, with --url`);
    return undefined;
  }
  const path = entrypoint.slice("data.".length).split(".").slice(0, -1);
  const main = modules.find((module) => module.package.join(".") === path.join("."));
  if (main === undefined) {
    source.error(
      "",
      `has no module of package ${path.join(".")}, which the entrypoint is in: correct --entrypoint`,
    );
    return undefined;
  }
  const libs = modules.filter((module) => module !== main).map((module) => module.source);
  return stated({
    version,
    entrypoint,
    module: main.source,
    libs: [...libs, ...dataModules(data, version, source)],
  });
}

const nameable = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Data as modules: each document at the top becomes a package with a rule for each of its members. */
function dataModules(data: Plain, version: "v0" | "v1", source: Source): string[] {
  return Object.entries(data).flatMap(([name, document]) => {
    const isObject = typeof document === "object" && document !== null && !Array.isArray(document);
    const members = isObject ? Object.entries(document) : [];
    if (!isObject || ![name, ...members.map(([key]) => key)].every((each) => nameable.test(each))) {
      source.error("", `its data.${name} has no form as a module: let ShieldX fetch the bundle, with --url`);
      return [];
    }
    try {
      const rules = members.map(([key, value]) => `${key} := ${regoLiteral(value)}`);
      return members.length === 0
        ? []
        : [`# Data of the bundle, Rego ${version}.\npackage ${name}\n\n${rules.join("\n\n")}\n`];
    } catch (error) {
      if (!(error instanceof LiteralError)) throw error;
      source.error("", `its data.${name} ${error.message}: let ShieldX fetch the bundle, with --url`);
      return [];
    }
  });
}

function builtInRules(): Plain[] {
  return openGroups.map((group) => ({
    apiGroups: [group],
    apiVersions: ["*"],
    operations: ["CREATE", "UPDATE"],
    resources: kindsOf(group).map(pluralOf),
  }));
}
