import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selfSignedCertificate } from "../../testing/cel-oracle/self-signed.ts";
import { parseImagePattern } from "../images/pattern.ts";
import { importPolicies } from "./index.ts";
import { patternsOfGlob } from "./kyverno-globs.ts";
import { Source } from "./source.ts";

type Fields = Record<string, unknown>;
const keyPem = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" })
    .publicKey.export({ type: "spki", format: "pem" })
    .toString();
const key = keyPem();
const otherKey = keyPem();
const root = selfSignedCertificate("ca.example", Date.now(), "root").certificatePem;
const base64 = (pem: string): string => pem.replaceAll(/-----[^-]+-----|\s/g, "");

const byKey = (name: string, data = key, more: Fields = { ctlog: { insecureIgnoreTlog: true } }) => ({
  name,
  cosign: { key: { data }, ...more },
});
const identities = [{ issuer: "https://issuer.example", subjectRegExp: "@example\\.com$" }];
const byIdentity = (name: string, cosign: Fields = {}) => ({
  name,
  cosign: {
    keyless: { identities, roots: root },
    ctlog: { insecureIgnoreTlog: true, insecureIgnoreSCT: true },
    ...cosign,
  },
});
const signedBy = (attestors: string, comparison = "e > 0") =>
  `images.containers.map(image, verifyImageSignatures(image, [${attestors}])).all(e, ${comparison})`;
const policy = (spec: Fields = {}, kind = "ImageValidatingPolicy", metadata: Fields = {}) => ({
  apiVersion: "policies.kyverno.io/v1",
  kind,
  metadata: { name: "signed", ...metadata },
  spec: {
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    },
    matchImageReferences: [{ glob: "registry.example.com/*" }],
    attestors: [byKey("ours")],
    validations: [{ expression: signedBy("attestors.ours"), message: "not signed" }],
    ...spec,
  },
});
const imported = (spec: Fields = {}) => importPolicies({ objects: [policy(spec)] });
const specOf = (result: ReturnType<typeof imported>) =>
  result.policies[0]?.written.spec as Fields & { verifyImages: Fields & { rules: Fields[] } };
const notesOf = ({ notes }: ReturnType<typeof imported>) =>
  notes.map(({ severity, path }) => `${severity} ${path}`);

describe("ImageValidatingPolicies", () => {
  it("carry over to engine images, with what makes Pods", () => {
    const result = imported();
    expect(notesOf(result)).toEqual(["note spec.autogen"]);
    expect(specOf(result)).toEqual({
      engine: "images",
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE"],
            resources: ["daemonsets", "deployments", "replicasets", "statefulsets"],
          },
          {
            apiGroups: ["batch"],
            apiVersions: ["v1"],
            operations: ["CREATE"],
            resources: ["jobs", "cronjobs"],
          },
        ],
      },
      verifyImages: { rules: [{ name: "ours", images: ["registry.example.com/**"], keys: [key] }] },
      failurePolicy: "Fail",
      actions: { admission: "deny", background: "audit" },
    });
  });

  it("of a namespace are about that one", () => {
    const object = policy({}, "NamespacedImageValidatingPolicy", { namespace: "shop" });
    const [made] = importPolicies({ objects: [object] }).policies;
    expect(made?.policy.metadata.name).toBe("shop-signed");
    expect(made?.policy.spec.matchConstraints?.namespaceSelector?.matchLabels).toEqual({
      "kubernetes.io/metadata.name": "shop",
    });
  });

  it.each<[string, string, string[][]]>([
    ["one of them", signedBy("attestors.ours, attestors.theirs"), [[key, otherKey]]],
    ["one of them, by count", signedBy("attestors.ours, attestors.theirs", "e >= 1"), [[key, otherKey]]],
    ["all of them", signedBy("attestors.ours, attestors['theirs']", "e > 1"), [[key], [otherKey]]],
    ["all, counted", signedBy("attestors.ours, attestors.theirs", "e == 2"), [[key], [otherKey]]],
    [
      "without map, of several lists",
      "(images.containers + images.initContainers).all(i, verifyImageSignatures(i, [attestors.theirs]) > 0)",
      [[otherKey]],
    ],
  ])("are kept by %s", (_, expression, keys) => {
    const result = imported({
      attestors: [byKey("ours"), byKey("theirs", otherKey)],
      validations: [{ expression }],
    });
    expect(specOf(result).verifyImages.rules.map((rule) => rule.keys)).toEqual(keys);
  });

  it("by certificates carry over with what is trusted, expressions for the whole text", () => {
    const log = keyPem();
    const result = imported({
      attestors: [
        byIdentity("us", {
          ctlog: { rekorPubKey: log, insecureIgnoreSCT: true },
          keyless: {
            roots: root,
            identities: [...identities, { issuerRegExp: "^https://a\\.example$", subject: "b" }],
          },
        }),
      ],
      validations: [{ expression: signedBy("attestors.us") }],
    });
    expect(specOf(result).verifyImages.rules).toEqual([
      {
        name: "us",
        images: ["registry.example.com/**"],
        certificates: {
          roots: root,
          transparencyLogs: [log],
          identities: [
            { issuer: "https://issuer.example", subjectRegExp: "(?s:.*)(?:@example\\.com$)(?s:.*)" },
            { issuerRegExp: "https://a\\.example", subject: "b" },
          ],
        },
      },
    ]);
  });

  it("with Sigstore's trusted root carry over what that holds", () => {
    const chain = { certChain: { certificates: [{ rawBytes: base64(root) }] } };
    const value = JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      certificateAuthorities: [chain],
      tlogs: [{ publicKey: { rawBytes: base64(key) } }],
      timestampAuthorities: [chain],
    });
    const cosign = { keyless: { identities }, trustedRoot: { value }, ctlog: { insecureIgnoreSCT: true } };
    const result = imported({
      attestors: [byIdentity("us", cosign)],
      validations: [{ expression: signedBy("attestors.us") }],
    });
    const [rule] = specOf(result).verifyImages.rules;
    const { roots, transparencyLogs, timestampAuthorities } = (rule?.certificates ?? {}) as Record<
      string,
      string[]
    >;
    expect(
      [roots, transparencyLogs?.[0], timestampAuthorities?.[0]].map((pem) => base64(String(pem))),
    ).toEqual([base64(root), base64(key), base64(root)]);
  });

  it("by a certificate that is given carry over by its key", () => {
    const result = imported({
      attestors: [{ name: "ours", cosign: { certificate: { cert: { value: root } } } }],
    });
    expect(specOf(result).verifyImages.rules[0]?.keys).toEqual([expect.stringContaining("BEGIN PUBLIC KEY")]);
  });

  it.each<[string, Fields]>([
    ["error spec.attestors[0].notary", { attestors: [{ name: "ours", notary: { certs: { value: root } } }] }],
    [
      "error spec.attestors[0].cosign.key.kms",
      { attestors: [{ name: "ours", cosign: { key: { kms: "awskms://x" } } }] },
    ],
    [
      "error spec.attestors[0].cosign.key.hashAlgorithm",
      { attestors: [{ name: "ours", cosign: { key: { data: key, hashAlgorithm: "sha512" } } }] },
    ],
    [
      "error spec.attestors[0].cosign.annotations",
      { attestors: [byKey("ours", key, { annotations: { env: "prod" } })] },
    ],
    [
      "error spec.attestors[0].cosign.source.repository",
      { attestors: [byKey("ours", key, { source: { repository: "x/y" } })] },
    ],
    ["error spec.attestors[0].cosign.novelty", { attestors: [byKey("ours", key, { novelty: {} })] }],
    [
      "error spec.attestors[0].cosign.key.data",
      { attestors: [{ name: "ours", cosign: { key: { data: 7 } } }] },
    ],
    ["lost spec.attestors[0].cosign.ctlog", { attestors: [byKey("ours", key, {})] }],
    [
      "error spec.attestors[0].cosign.keyless.roots",
      { attestors: [byIdentity("ours", { keyless: { identities } })] },
    ],
    ["error spec.attestors[0].cosign.ctlog.rekorPubKey", { attestors: [byIdentity("ours", { ctlog: {} })] }],
    [
      "error spec.attestors[0].cosign.keyless.identities",
      { attestors: [byIdentity("ours", { keyless: { roots: root } })] },
    ],
    [
      "error spec.attestors[0].cosign.keyless.identities[0].issuer",
      { attestors: [byIdentity("ours", { keyless: { roots: root, identities: [{ subject: "a" }] } })] },
    ],
    ["error spec.attestors", { attestors: [] }],
    ["error spec.validations", { validations: [{ expression: "true" }] }],
    [
      "error spec.validations[0].expression",
      {
        attestors: [byKey("a"), byKey("b"), byKey("c")],
        validations: [{ expression: signedBy("attestors.a, attestors.b, attestors.c", "e > 1") }],
      },
    ],
    [
      "lost spec.validations[1].expression",
      {
        validations: [
          { expression: signedBy("attestors.ours") },
          {
            expression:
              "images.containers.map(i, verifyAttestationSignatures(i, attestations.sbom, [attestors.ours])).all(e, e > 0)",
          },
        ],
      },
    ],
    [
      "error spec.matchImageReferences[0].expression",
      { matchImageReferences: [{ expression: "ref == 'a'" }] },
    ],
    [
      "error spec.matchImageReferences[0].glob",
      { matchImageReferences: [{ glob: "registry.example.com/{a,b}" }] },
    ],
    [
      "lost spec.matchImageReferences[0].glob",
      { matchImageReferences: [{ glob: "registry.example.com/a:v*" }] },
    ],
    ["lost spec.matchImageReferences", { matchImageReferences: [] }],
    ["lost spec.matchConditions", { matchConditions: [{ name: "a", expression: "true" }] }],
    [
      "lost spec.validationConfigurations.verifyDigest",
      { validationConfigurations: { mutateDigest: false } },
    ],
    ["lost spec.credentials.secrets", { credentials: { secrets: ["pull"] } }],
    ["error spec.evaluation.mode", { evaluation: { mode: "HTTP" } }],
  ])("tell what does not carry over: %s", (note, spec) => {
    const result = imported(spec);
    expect(notesOf(result)).toContain(note);
    expect(result.policies).toHaveLength(note.startsWith("error") ? 0 : 1);
    for (const { message } of result.notes) expect(message).not.toMatch(/undefined|\[object/);
  });

  it("tell what the policy cannot have, where Kyverno's has it", () => {
    const result = imported({ attestors: [byKey("ours", "no key")] });
    expect(notesOf(result)).toContain("error spec.attestors");
    expect(result.policies).toEqual([]);
  });

  it("never throw for what the objects are", () => {
    const spec = fc.dictionary(
      fc.constantFrom(
        "attestors",
        "validations",
        "matchImageReferences",
        "matchConstraints",
        "credentials",
        "__proto__",
      ),
      fc.jsonValue({ maxDepth: 5 }),
    );
    fc.assert(
      fc.property(spec, (fields) => {
        imported(fields);
      }),
    );
  });
});

describe("globs", () => {
  const patterns = (glob: string) => {
    const source = new Source({}, { apiVersion: "v1", kind: "K", name: "n" }, []);
    return patternsOfGlob(glob, "glob", source);
  };

  it.each<[string, string[]]>([
    ["*", ["**"]],
    ["ghcr.io/*", ["ghcr.io/**"]],
    ["ghcr.io/**", ["ghcr.io/**"]],
    ["ghcr.io/a/web:*", ["ghcr.io/a/web"]],
    ["ghcr.io/a/web*", ["ghcr.io/a/web*", "ghcr.io/a/web*/**"]],
    ["ghcr.io/a*/web:*", ["ghcr.io/a*/web", "ghcr.io/a*/**/web"]],
    ["ghcr*", ["ghcr*/**"]],
    ["nginx:*", ["docker.io/library/nginx"]],
    ["bitnami/*", ["docker.io/bitnami/**"]],
    ["index.docker.io/a/b:*", ["docker.io/a/b"]],
    ["localhost:5000/*", ["localhost:5000/**"]],
  ])("%s is %j", (glob, expected) => {
    expect(patterns(glob)).toEqual(expected);
    for (const pattern of expected) parseImagePattern(pattern);
  });

  it("match the images that Kyverno's do", () => {
    const part = fc.stringMatching(/^[ab]{1,2}$/);
    const globPart = fc.oneof(part, fc.constant("*"), fc.stringMatching(/^[ab]?\*[ab]?$/));
    const path = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(path(globPart), path(part), (globParts, parts) => {
        const [glob, image] = [globParts, parts].map((list) => ["r.example", ...list].join("/"));
        // Not of gobwas/glob's code: a star is any run of signs.
        const isTheirs = new RegExp(`^${String(glob).replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(
          `${image}`,
        );
        const isOurs = patterns(String(glob))?.some((pattern) =>
          parseImagePattern(pattern).matches({ registry: "r.example", repository: parts.join("/") }),
        );
        expect({ glob, image, isOurs }).toEqual({ glob, image, isOurs: isTheirs });
      }),
      { numRuns: 2_000 },
    );
  });
});
