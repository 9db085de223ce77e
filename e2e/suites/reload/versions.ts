/** A policy whose refusals tell which version of it was in force, and whether all of it was. */
import { celPolicy, type Manifest } from "../../shieldx/objects.ts";

export const versioned = "versioned";
export const rules = 8;
/** Other policies in the set, each of which refuses the bad Pod too. */
export const others = 20;

const aboutPods = {
  resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
};
const keeps = "!has(object.metadata.labels) || object.metadata.labels[?'verdict'].orValue('') != 'bad'";

function policy(name: string, messages: readonly string[]): Manifest {
  return celPolicy(name, {
    evaluation: "Webhook",
    matchConstraints: aboutPods,
    validations: messages.map((message) => ({ expression: keeps, message })),
  });
}

export function versionedPolicy(version: number): Manifest {
  return policy(
    versioned,
    Array.from({ length: rules }, (_, rule) => `v${version}.${rule}`),
  );
}

export function otherPolicies(): Manifest[] {
  return Array.from({ length: others }, (_, index) => policy(`other-${index}`, [`other ${index} holds`]));
}

/** The one version a refusal speaks of; a text saying what is wrong when it speaks of a part of the set, or of two. */
export function versionIn(message: string): number | string {
  const found = [...message.matchAll(/\bv(\d+)\.(\d+)\b/g)];
  const versions = new Set(found.map(([, version]) => Number(version)));
  const [version] = versions;
  if (version === undefined) return `no rule of "${versioned}" in: ${message.slice(0, 300)}`;
  if (versions.size > 1) return `rules of versions ${[...versions].join(" and ")} in one answer`;
  if (new Set(found.map(([, , rule]) => rule)).size !== rules)
    return `${found.length} of ${rules} rules in one answer`;
  const missing = Array.from({ length: others }, (_, index) => index).filter(
    (index) => !message.includes(`other ${index} holds`),
  );
  return missing.length === 0 ? version : `policies missing from an answer: other ${missing.join(", ")}`;
}
