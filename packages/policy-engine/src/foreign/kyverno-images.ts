/** Kyverno's ImageValidatingPolicies as policies of engine images. */
import { RE2JS } from "re2js";
import type { Draft } from "./draft.ts";
import { type Certificates, type Signers, signersOf } from "./kyverno-attestors.ts";
import { controllersOf } from "./kyverno-autogen.ts";
import { patternsOfGlob } from "./kyverno-globs.ts";
import { isPlain, type Plain, stated, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

const known = [
  ...[
    "matchConstraints",
    "matchConditions",
    "matchImageReferences",
    "images",
    "variables",
    "attestors",
    "attestations",
  ],
  ...[
    "validations",
    "validationActions",
    "validationConfigurations",
    "auditAnnotations",
    "credentials",
    "autogen",
  ],
  ...["evaluation", "failurePolicy", "webhookConfiguration"],
];

/** @param common what it has like Kyverno's other policies: constraints, actions, failurePolicy */
export function imagePolicyDrafts(source: Source, name: string, common: Plain): Draft[] {
  source.known("spec", known);
  tellWhatIsNot(source);
  const images = imagesOf(source);
  const rules = rulesOf(source, images);
  const isPinned = source.flag("spec.validationConfigurations.mutateDigest") ?? true;
  if (!isPinned && (source.flag("spec.validationConfigurations.verifyDigest") ?? true))
    source.lost(
      "spec.validationConfigurations.verifyDigest",
      "images are not held to have a digest: apply the library's image-digests-required, or let mutateDigest put it in",
    );
  if (source.isFaulty) return [];
  const { matchConstraints } = common;
  const spec: Plain = {
    ...common,
    engine: "images",
    matchConstraints: isPlain(matchConstraints) ? withControllers(matchConstraints, source) : undefined,
    verifyImages: stated({
      rules,
      pinDigest: isPinned ? undefined : false,
      timeoutSeconds: timeoutOf(source),
    }),
  };
  return [
    { from: [source], names: [name, `${name}-images`], spec, placeOf: (path) => placeOf(path, source) },
  ];
}

/** Where what is wrong with a part of spec.verifyImages comes from. */
function placeOf(path: string, source: Source): { source: Source; path: string } {
  if (/^spec\.verifyImages\.rules\[\d+\]\.images/.test(path))
    return { source, path: "spec.matchImageReferences" };
  return { source, path: path.startsWith("spec.verifyImages") ? "spec.attestors" : path };
}

/** Lost where the policy is then about more, or does less besides; an error where it would let more in. */
function tellWhatIsNot(source: Source): void {
  const lost: readonly (readonly [path: string, message: string])[] = [
    [
      "spec.matchConditions",
      "are not there with engine images: the policy is about all that matchConstraints cover; narrow these by objectSelector",
    ],
    ["spec.images", "images in other fields than those of Pods and what makes them are not looked at"],
    ["spec.auditAnnotations", "who signed is in the API server's audit log in ShieldX's own words"],
    [
      "spec.credentials.secrets",
      "write spec.verifyImages.registries with a pullSecretRef, and grant it by rbac.imageSecrets of the chart",
    ],
    [
      "spec.credentials.providers",
      "credentials of clouds are not made: write spec.verifyImages.registries with a pullSecretRef",
    ],
    [
      "spec.credentials.allowInsecureRegistry",
      "registries are reached over TLS: write spec.verifyImages.registries with plainHTTP for those that have none",
    ],
  ];
  for (const [path, message] of lost) if (isSaid(source.get(path))) source.lost(path, message);
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
}

/** Patterns of all rules. */
function imagesOf(source: Source): readonly string[] {
  const path = "spec.matchImageReferences";
  const references = source.records(path) ?? [];
  const patterns = references.flatMap((reference, index): readonly string[] => {
    const glob = textAt(reference, "glob");
    if (glob !== undefined && glob !== "")
      return patternsOfGlob(glob, `${path}[${index}].glob`, source) ?? [];
    source.error(`${path}[${index}].expression`, "images are told by patterns: write it as glob");
    return [];
  });
  const all = references.length === 0 ? ["**"] : [...new Set(patterns)];
  if (all.some((pattern) => pattern.split("/", 1)[0]?.includes("*")))
    source.lost(
      path,
      "ShieldX asks only registries that are named, and refuses images of others: list in spec.verifyImages.registries those that images come from",
    );
  return all;
}

/** Each verification of signatures is a rule, or one for each attestor where all must have signed. */
function rulesOf(source: Source, images: readonly string[]): Plain[] {
  const attestors = new Map(
    (source.records("spec.attestors") ?? []).map((attestor, index) => [
      textAt(attestor, "name") ?? "",
      { attestor, path: `spec.attestors[${index}]` },
    ]),
  );
  const groups: (readonly string[])[] = [];
  for (const [index, validation] of (source.records("spec.validations") ?? []).entries()) {
    const path = `spec.validations[${index}].expression`;
    const expression = textAt(validation, "expression") ?? "";
    const found = verificationOf(expression);
    if (found === undefined) source.lost(path, whyNot(expression));
    else if (found === "exactly")
      source.error(
        path,
        "wants a number of attestors between one and all of them: write a rule for each that must sign",
      );
    else groups.push(...found);
  }
  if (groups.length === 0 && !source.isFaulty)
    source.error(
      "spec.validations",
      "none verifies signatures by verifyImageSignatures: there is nothing to carry over",
    );
  const names = new Set<string>();
  return groups.flatMap((group) => {
    const signers = group.map((name): Signers | undefined => {
      const found = attestors.get(name);
      if (found !== undefined) return signersOf(found.attestor, found.path, source);
      source.error(
        "spec.attestors",
        `there is none named ${name}, which spec.validations ask for: correct it`,
      );
      return undefined;
    });
    const together = oneOf(signers, source);
    return together === undefined ? [] : [{ name: ruleName(group, names), images, ...together }];
  });
}

/** What any of them may have signed. */
function oneOf(signers: readonly (Signers | undefined)[], source: Source): Plain | undefined {
  if (!signers.every((each) => each !== undefined)) return undefined;
  const keys = signers.flatMap((each) => each.keys);
  const certificates = signers.flatMap((each) =>
    each.certificates === undefined ? [] : [each.certificates],
  );
  const [first] = certificates;
  if (certificates.some((each) => authoritiesOf(each) !== authoritiesOf(first))) {
    source.error(
      "spec.attestors",
      "two of which one may sign trust different authorities, and a rule has one set: write all their certificates into both",
    );
    return undefined;
  }
  if (first === undefined) return { keys };
  const { roots, transparencyLogs, timestampAuthorities } = first;
  const identities = certificates.flatMap((each) => each.identities);
  return stated({
    keys,
    certificates: stated({ roots, identities, transparencyLogs, timestampAuthorities }),
  });
}

function authoritiesOf(certificates: Certificates | undefined): string {
  const { roots, transparencyLogs, timestampAuthorities } = certificates ?? {};
  return JSON.stringify([roots, transparencyLogs, timestampAuthorities]);
}

function ruleName(attestors: readonly string[], taken: Set<string>): string {
  const words = attestors
    .join("-or-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  const base = words.slice(0, 58).replaceAll(/^-|-$/g, "") || "signed";
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
  taken.add(name);
  return name;
}

/** The two ways in which Kyverno's documentation writes it, without blanks. */
const list = "\\(?images\\.\\w+(?:\\+images\\.\\w+)*\\)?";
const mapped = RE2JS.compile(
  `${list}\\.map\\((\\w+),verifyImageSignatures\\((\\w+),\\[(.+)\\]\\)\\)\\.all\\((\\w+),(\\w+)(>|>=|==)(\\d{1,3})\\)`,
);
const direct = RE2JS.compile(
  `${list}\\.all\\((\\w+),verifyImageSignatures\\((\\w+),\\[(.+)\\]\\)(>|>=|==)(\\d{1,3})\\)`,
);
const attestorName = RE2JS.compile(`attestors(?:\\.(\\w+)|\\[["']([^"']+)["']\\])`);

/** Groups of attestors, one of each of which must have signed; undefined for another expression. */
function verificationOf(expression: string): readonly (readonly string[])[] | "exactly" | undefined {
  const text = expression.replaceAll(/\s+/g, "");
  const parts = groupsOf(mapped, text) ?? insertCounter(groupsOf(direct, text));
  if (parts === undefined) return undefined;
  const [image, asked, listed = "", each, counted, operator, number] = parts;
  if (image !== asked || each !== counted) return undefined;
  const names = listed.split(",").map((item) => {
    const [dotted, quoted] = groupsOf(attestorName, item) ?? [];
    return dotted ?? quoted;
  });
  if (!names.every((name) => name !== undefined)) return undefined;
  const least = Number(number) + (operator === ">" ? 1 : 0);
  if (least === names.length) return names.map((name) => [name]);
  return least === 1 && operator !== "==" ? [names] : "exactly";
}

/** The direct form counts what it verifies, without a name for it. */
function insertCounter(
  parts: readonly (string | undefined)[] | undefined,
): readonly (string | undefined)[] | undefined {
  return parts && [...parts.slice(0, 3), "n", "n", ...parts.slice(3)];
}

/** What each group of the whole match holds. */
function groupsOf(pattern: RE2JS, text: string): readonly (string | undefined)[] | undefined {
  const matcher = pattern.matcher(text);
  if (!matcher.matches()) return undefined;
  return Array.from({ length: matcher.groupCount() }, (_, at) => matcher.group(at + 1) ?? undefined);
}

function whyNot(expression: string): string {
  if (/verifyAttestationSignatures|extractPayload/.test(expression))
    return "statements about an image (attestations) are not looked at, only its signatures";
  return "only signatures are verified here: write what else there is to say as a policy of engine cel";
}

/** What Kyverno derives for what makes Pods, engine images does by itself where it is about these. */
function withControllers(constraints: Plain, source: Source): Plain {
  const derived = controllersOf(source).flatMap(({ resources }) => resources);
  const [rule] = Array.isArray(constraints.resourceRules)
    ? (constraints.resourceRules as readonly Plain[])
    : [];
  if (derived.length === 0 || rule === undefined) return constraints;
  source.note(
    "spec.autogen",
    `as Kyverno does of itself, the policy is about what Pods are made of, too: ${derived.join(", ")}`,
  );
  const ofGroup = (group: string, resources: readonly string[]): Plain[] =>
    resources.length === 0
      ? []
      : [{ apiGroups: [group], apiVersions: ["v1"], operations: rule.operations, resources }];
  const isBatch = (resource: string): boolean => resource === "jobs" || resource === "cronjobs";
  return {
    ...constraints,
    resourceRules: [
      rule,
      ...ofGroup(
        "apps",
        derived.filter((resource) => !isBatch(resource)),
      ),
      ...ofGroup("batch", derived.filter(isBatch)),
    ],
  };
}

/** A policy's longest time for an image. */
const mostSeconds = 30;

function timeoutOf(source: Source): number | undefined {
  const seconds = source.get("spec.webhookConfiguration.timeoutSeconds");
  if (seconds === undefined) return undefined;
  source.note(
    "spec.webhookConfiguration",
    "is how long an image may take; ShieldX sets how long the API server waits",
  );
  return typeof seconds === "number" && seconds >= 1 ? Math.min(mostSeconds, Math.floor(seconds)) : undefined;
}
