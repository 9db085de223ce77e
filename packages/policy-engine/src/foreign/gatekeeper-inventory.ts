/** Which objects of the cluster a template looks at: what it says itself, else what Gatekeeper is told to keep in step. */
import { RE2JS } from "re2js";
import { at, isPlain, isTexts, type Plain, textAt } from "./plain.ts";
import { removedIn } from "./removed-apis.ts";
import type { Source } from "./source.ts";

export interface InventoryKind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** What Config and SyncSets name. */
export type Synced = readonly InventoryKind[];

const mostKinds = 16;

/** `spec.sync.syncOnly` of a Config, `spec.gvks` of a SyncSet. */
export function syncedBy(source: Source): InventoryKind[] {
  const path = source.name.kind === "Config" ? "spec.sync.syncOnly" : "spec.gvks";
  return (source.records(path) ?? []).flatMap((entry) => {
    const [version, kind] = [textAt(entry, "version"), textAt(entry, "kind")];
    if (version === undefined || kind === undefined) return [];
    return [{ apiVersion: apiVersionOf(textAt(entry, "group") ?? "", version), kind }];
  });
}

export function inventoryOf(
  template: Source,
  modules: readonly string[],
  synced: Synced,
): readonly InventoryKind[] {
  if (!modules.some((text) => text.includes("data.inventory"))) return [];
  const required = requiredBy(template);
  const named = modules.flatMap(namedIn);
  const found = [required, named, synced].find((kinds) => kinds.length > 0) ?? [];
  const kinds = [...new Map(found.map((each) => [`${each.apiVersion} ${each.kind}`, each])).values()];
  const path = "spec.targets[0]";
  const names = kinds.map(({ apiVersion, kind }) => `${kind} (${apiVersion})`).join(", ");
  if (kinds.length === 0)
    template.error(
      path,
      "its Rego looks at data.inventory, and nothing says for which kinds: give Gatekeeper's Config or SyncSet, too, or the annotation metadata.gatekeeper.sh/requires-sync-data",
    );
  else if (kinds.length > mostKinds)
    template.error(
      path,
      `looks at ${kinds.length} kinds of objects; a ShieldPolicy at ${mostKinds}: divide it`,
    );
  else
    template.note(
      path,
      `looks at other objects: let ShieldX watch ${names}, in rbac.inventoryKinds of its chart`,
    );
  return kinds;
}

/** Alternatives in a list: those that no API server of today has are left out where there are others. */
function requiredBy(template: Source): InventoryKind[] {
  const name = "metadata.gatekeeper.sh/requires-sync-data";
  const text = textAt(template.object, "metadata", "annotations", name);
  if (text === undefined) return [];
  const groups = parsed(text);
  if (groups === undefined) {
    template.lost(`metadata.annotations.${name}`, "is not JSON, and is passed over: correct it");
    return [];
  }
  return groups.flatMap((alternatives) => {
    const all = (Array.isArray(alternatives) ? alternatives : []).filter(isPlain).flatMap(kindsIn);
    const served = all.filter(({ apiVersion, kind }) => removedIn(apiVersion, kind) === undefined);
    return served.length > 0 ? served : all;
  });
}

/** In quotes as often as not. */
function parsed(text: string): readonly unknown[] | undefined {
  const trimmed = text.trim();
  const bare = trimmed.startsWith('"') && trimmed.endsWith('"') ? trimmed.slice(1, -1) : trimmed;
  try {
    const value: unknown = JSON.parse(bare);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // What is no JSON is told as that.
    return undefined;
  }
}

function kindsIn(entry: Plain): InventoryKind[] {
  const list = (field: string): readonly string[] => {
    const value = at(entry, field);
    return isTexts(value) ? value.slice(0, mostKinds) : [];
  };
  return list("groups").flatMap((group) =>
    list("versions").flatMap((version) =>
      list("kinds").map((kind) => ({ apiVersion: apiVersionOf(group, version), kind })),
    ),
  );
}

function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

const step = '(?:\\.([A-Za-z_]\\w*)|\\[\\s*"([^"\\n]*)"\\s*\\])';
const written = RE2JS.compile(
  `data\\.inventory\\.(?:cluster|namespace(?:\\[[^\\]\\n]*\\]|\\.[A-Za-z_]\\w*))${step}${step}`,
);

/** Kinds that are written out, as in `data.inventory.cluster["v1"].Namespace`. */
function namedIn(module: string): InventoryKind[] {
  const found: InventoryKind[] = [];
  const matcher = written.matcher(module);
  while (matcher.find()) {
    const apiVersion = matcher.group(1) ?? matcher.group(2) ?? "";
    const kind = matcher.group(3) ?? matcher.group(4) ?? "";
    found.push({ apiVersion, kind });
  }
  return found;
}
