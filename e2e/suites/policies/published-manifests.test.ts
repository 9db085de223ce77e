// The demo's real input, judged offline: what three projects publish, and what each level makes of it.
import { readFileSync } from "node:fs";
import { parseManifests, parseShieldPolicy } from "@shieldx/crds";
import { checkManifests } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { type ManifestName, publishedManifest } from "../../cluster/index.ts";
import { podSecurityPolicy } from "../../shieldx/objects.ts";

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** `kind/name -> levels that refuse it`, and how many objects were judged. */
async function refusals(name: ManifestName): Promise<{ checked: number; refused: Record<string, string[]> }> {
  const file = await publishedManifest(name);
  const policies = ["baseline", "restricted"].map((level) =>
    parseShieldPolicy(podSecurityPolicy(level, { podSecurity: { level } })),
  );
  const objects = parseManifests(readFileSync(file, "utf8"), file).map((object) => ({ object, file }));
  const report = checkManifests({ objects, policies, serverMinor: 37, now: Date.now() });
  const refused: Record<string, string[]> = {};
  for (const { manifest, policy } of report.findings) {
    const { kind, metadata } = manifest.object as Named;
    const levels = refused[`${kind}/${metadata.name}`] ?? [];
    levels.push(policy);
    refused[`${kind}/${metadata.name}`] = levels;
  }
  return { checked: report.checked, refused };
}

describe("published manifests", () => {
  it("Argo CD 3.1.1 keeps restricted", async () => {
    expect(await refusals("argo-cd")).toEqual({ checked: 7, refused: {} });
  });
  it("CloudNativePG 1.27.0 keeps restricted", async () => {
    expect(await refusals("cloudnative-pg")).toEqual({ checked: 1, refused: {} });
  });
  it("MetalLB 0.16.2: the controller keeps baseline only, the speaker neither", async () => {
    expect(await refusals("metallb")).toEqual({
      checked: 2,
      refused: { "Deployment/controller": ["restricted"], "DaemonSet/speaker": ["baseline", "restricted"] },
    });
  });
});
