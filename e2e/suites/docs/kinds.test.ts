import { readFileSync } from "node:fs";
import { kinds } from "@shieldx/crds";
import { describe, expect, it } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

/** Where kinds are listed by hand, and the word a kind is found by. */
const places = {
  "deploy/argocd/argocd-cm.yaml": ({ group, kind }) => `health.${group}_${kind}:`,
  "deploy/flux/own-policies.yaml": ({ kind }) => `kind: ${kind}\n`,
  "docs/guides/gitops.md": ({ kind }) => kind,
  "docs/guides/uninstall.md": ({ group, plural }) => ` ${plural}.${group}`,
  "charts/shieldx/templates/user-roles.yaml": ({ plural }) => `- ${plural}\n`,
  "charts/shieldx/templates/kinds-webhook.yaml": ({ plural }) => plural,
} satisfies Record<string, (kind: (typeof kinds)[number]) => string>;

describe.each(Object.entries(places))("%s", (path, wordOf) => {
  it.each(kinds.map((kind) => [kind.kind, kind] as const))("knows %s", (_, kind) => {
    expect(read(path).includes(wordOf(kind)), `${path} names ${wordOf(kind).trim()}`).toBe(true);
  });
});
