import { generateKeyPairSync } from "node:crypto";
import type { ShieldPolicy } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  deploymentOf,
  newYear,
  podObject,
  podSecurityPolicy,
} from "../../../testing/objects.ts";
import { ImageAnswers, type ImageOutcome, type VerifyImage } from "../../images/index.ts";
import { runPolicyTests } from "../../policy-tests/run.ts";
import { buildPolicySet } from "../build.ts";
import { compilePolicy } from "../compile.ts";
import type { AdmissionRequestLike } from "../request.ts";

const pem = (type: "public" | "private") => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = type === "public" ? publicKey : privateKey;
  return key
    .export({ type: type === "public" ? "spki" : "pkcs8", format: "pem" } as { type: "spki"; format: "pem" })
    .toString();
};
const key = pem("public");
const digest = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;
type Verification = NonNullable<ShieldPolicy["spec"]["verifyImages"]>;

function policy(
  verifyImages: Partial<Verification> = {},
  spec: Partial<ShieldPolicy["spec"]> = {},
): ShieldPolicy {
  const { podSecurity: _, ...rest } = podSecurityPolicy("signed").spec;
  return {
    ...podSecurityPolicy("signed"),
    spec: {
      ...rest,
      engine: "images",
      verifyImages: {
        rules: [{ name: "ours", images: ["registry.example/**"], keys: [key] }],
        otherImages: "Allow",
        pinDigest: true,
        timeoutSeconds: 10,
        ...verifyImages,
      },
      ...spec,
    },
  };
}

const verified: ImageOutcome = { kind: "verified", digest, signer: "keys[0]" };
const unsigned: ImageOutcome = { kind: "unsigned", problem: "it carries no signature" };
const unknown: ImageOutcome = { kind: "unknown", problem: "registry.example did not answer" };

/** As the webhook does: mutated first, and judged as it then is. */
async function admitted(
  request: AdmissionRequestLike,
  outcome: ImageOutcome | ((image: string) => ImageOutcome),
  of = policy(),
) {
  const asked: string[] = [];
  const verify: VerifyImage = async ({ image }) => {
    const shown = `${image.registry}/${image.repository}`;
    asked.push(shown);
    return typeof outcome === "function" ? outcome(shown) : outcome;
  };
  const set = buildPolicySet({ policies: [of], exceptions: [], serverMinor: 37 });
  const images = new ImageAnswers(verify);
  const context = { namespaceLabels: {}, now: newYear, images };
  const settled = async <V extends { asks: readonly { check: object }[] }>(judge: () => V): Promise<V> => {
    for (;;) {
      const verdict = judge();
      if (verdict.asks.length === 0) return verdict;
      await images.find(
        verdict.asks.map(({ check }) => check as never),
        1_000,
      );
    }
  };
  const mutation = await settled(() => set.mutate(request, { ...context, types: () => undefined }));
  const object = mutation.object ?? request.object;
  const verdict = await settled(() => set.evaluate({ ...request, object }, context));
  const messages = [
    ...mutation.denials,
    ...mutation.audits,
    ...verdict.denials,
    ...verdict.warnings,
    ...verdict.audits,
  ].map(({ code, message }) => `${code}: ${message}`);
  return { allowed: mutation.allowed && verdict.allowed, object, messages, asked, problems: set.problems };
}

const pod = (spec: object = {}) => podObject("web", spec as Record<string, unknown>);
const imagesOf = (object: unknown) => JSON.stringify(object).match(/registry\.example[^"]*/g);

describe("engine images", () => {
  it("puts the digest beside the tag of what is signed, in all that a Pod runs or mounts", async () => {
    const containers = (name: string) => [{ name, image: `registry.example/${name}:1` }];
    const all = pod({
      containers: containers("a"),
      initContainers: containers("b"),
      ephemeralContainers: containers("c"),
      volumes: [
        { name: "d", image: { reference: "registry.example/d:1" } },
        { name: "e", emptyDir: {} },
      ],
    });
    const { allowed, object, messages } = await admitted(admissionRequest(all), verified);
    expect([allowed, messages]).toEqual([true, []]);
    expect(imagesOf(object)).toEqual(
      ["a", "b", "c", "d"].map((name) => `registry.example/${name}:1@${digest}`),
    );
    expect(JSON.stringify(all)).not.toContain("sha256");
    const deployed = await admitted(admissionRequest(deploymentOf(all)), verified);
    expect(imagesOf(deployed.object)?.length).toBe(4);
  });

  it("refuses what is not signed, and says which image of which container by which rule", async () => {
    const { allowed, messages, object } = await admitted(admissionRequest(pod()), unsigned);
    expect(allowed).toBe(false);
    expect(messages).toEqual([
      'PolicyViolation: ShieldPolicy "signed" refuses Pod "team-a/web": image registry.example/a:1 (container "a"): it carries no ' +
        'signature (rule "ours"). See: kubectl explain shieldpolicy.spec.verifyImages',
    ]);
    expect(imagesOf(object)).toEqual(["registry.example/a:1"]);
  });

  it("is decided by failurePolicy where the registry does not say", async () => {
    const { allowed, messages } = await admitted(admissionRequest(pod()), unknown);
    expect(allowed).toBe(false);
    expect(messages[0]).toBe(
      'CallFailed: ShieldPolicy "signed" could not be evaluated for Pod "team-a/web": image registry.example/a:1 (container "a"): ' +
        "registry.example did not answer",
    );
    const ignoring = await admitted(
      admissionRequest(pod()),
      unknown,
      policy({}, { failurePolicy: "Ignore" }),
    );
    expect([ignoring.allowed, ignoring.messages.length]).toEqual([true, 2]);
  });

  it("leaves other images alone, or refuses them where it is told to", async () => {
    const elsewhere = admissionRequest(pod({ containers: [{ name: "a", image: "nginx" }] }));
    expect(await admitted(elsewhere, unsigned)).toMatchObject({ allowed: true, asked: [], messages: [] });
    const denied = await admitted(elsewhere, unsigned, policy({ otherImages: "Deny" }));
    expect(denied.messages[0]).toContain('image nginx (container "a"): no rule is about it');
    expect(denied.asked).toEqual([]);
  });

  it("asks no registry that the policy does not name", async () => {
    const rules = [{ name: "all", images: ["**"], keys: [key] }];
    const inside = admissionRequest(
      pod({ containers: [{ name: "a", image: "169.254.169.254/latest/meta-data" }] }),
    );
    const { allowed, asked, messages } = await admitted(inside, verified, policy({ rules }));
    expect([allowed, asked]).toEqual([false, []]);
    expect(messages[0]).toContain(
      "registry 169.254.169.254 is not asked: list it in spec.verifyImages.registries",
    );
    const listed = policy({ rules, registries: [{ host: "registry.example", plainHTTP: false }] });
    expect((await admitted(admissionRequest(pod()), verified, listed)).allowed).toBe(true);
  });

  it("wants every rule kept that is about an image, and one digest by all", async () => {
    const rules = [
      { name: "ours", images: ["registry.example/**"], keys: [key] },
      { name: "reviewed", images: ["registry.example/a"], keys: [pem("public")] },
    ];
    let calls = 0;
    const one = () => (calls++ === 0 ? verified : unsigned);
    const refused = await admitted(admissionRequest(pod()), one, policy({ rules }));
    expect(refused.messages[0]).toContain('(rule "reviewed")');
    let moves = 0;
    const moving = (): ImageOutcome => ({ ...verified, digest: moves++ === 0 ? digest : other });
    const moved = await admitted(admissionRequest(pod()), moving, policy({ rules }));
    expect([moved.allowed, moved.messages[0]]).toEqual([
      false,
      expect.stringContaining("its tag moved while"),
    ]);
  });

  it("lets updates pass that bring no image, and looks at those that do", async () => {
    const before = pod({ containers: [{ name: "a", image: "registry.example/a:1" }] });
    const update = (object: object) =>
      admissionRequest(object as Record<string, unknown>, { operation: "UPDATE", oldObject: before });
    const labelled = update({ ...before, metadata: { ...(before.metadata as object), labels: { a: "b" } } });
    expect(await admitted(labelled, unsigned)).toMatchObject({ allowed: true, asked: [], messages: [] });
    const changed = update(
      pod({
        containers: [
          { name: "a", image: "registry.example/a:2" },
          { name: "b", image: "registry.example/a:1" },
        ],
      }),
    );
    expect((await admitted(changed, unsigned)).messages[0]).toMatch(/a:2 .*a:1 \(container "b"\)/);
    const going = {
      ...before,
      metadata: { ...(before.metadata as object), deletionTimestamp: "2026-01-01T00:00:00Z" },
    };
    const deleted = admissionRequest(pod(), { operation: "UPDATE", oldObject: going });
    expect((await admitted(deleted, unsigned)).allowed).toBe(true);
  });

  it("changes nothing where it warns, and refuses a tag that came round the mutation", async () => {
    const warning = policy({}, { actions: { admission: "warn" } });
    const warned = await admitted(admissionRequest(pod()), verified, warning);
    expect([imagesOf(warned.object), warned.messages]).toEqual([["registry.example/a:1"], []]);
    const unpinned = await admitted(admissionRequest(pod()), verified, policy({ pinDigest: false }));
    expect([unpinned.allowed, imagesOf(unpinned.object)]).toEqual([true, ["registry.example/a:1"]]);
    const set = buildPolicySet({ policies: [policy()], exceptions: [], serverMinor: 37 });
    const images = { lookUp: () => verified };
    const verdict = set.evaluate(admissionRequest(pod()), { namespaceLabels: {}, now: newYear, images });
    expect(verdict.denials[0]?.message).toContain("is signed, but by tag, and the digest was not put in");
  });

  it("notes for the audit log who signed", () => {
    const set = buildPolicySet({ policies: [policy({ pinDigest: false })], exceptions: [], serverMinor: 37 });
    const images = { lookUp: () => verified };
    const { annotations } = set.evaluate(admissionRequest(pod()), {
      namespaceLabels: {},
      now: newYear,
      images,
    });
    expect([...annotations]).toEqual([["signed_images", ['registry.example/a:1: keys[0] (rule "ours")']]]);
  });

  it("comes to the same when it is applied again", async () => {
    const once = await admitted(admissionRequest(pod()), verified);
    const twice = await admitted(admissionRequest(once.object as Record<string, unknown>), verified);
    expect(twice).toMatchObject({ allowed: true, object: once.object });
  });

  it("answers whatever a Pod holds, and asks for no more images than it may", async () => {
    const many = Array.from({ length: 70 }, (_, at) => ({
      name: `c${at}`,
      image: `registry.example/c${at}`,
    }));
    const warning = policy({}, { actions: { admission: "warn" }, failurePolicy: "Fail" });
    const { messages, asked } = await admitted(
      admissionRequest(pod({ containers: many })),
      verified,
      warning,
    );
    expect([asked, messages[0]]).toEqual([[], expect.stringContaining("70 questions to registries")]);
    const odd = pod({ containers: [{ name: "a", image: 1 }] });
    expect((await admitted(admissionRequest(odd), verified)).messages[0]).toContain(
      "spec.containers[0].image must be a string",
    );
    const image = fc.oneof(
      fc.string(),
      fc.constantFrom("registry.example/a", "a@b", "__proto__", "registry.example/"),
    );
    const spec = fc.object({
      key: fc.constantFrom(
        "containers",
        "initContainers",
        "volumes",
        "image",
        "reference",
        "name",
        "__proto__",
      ),
      values: [image, fc.constant(null), fc.integer()],
    });
    await fc.assert(
      fc.asyncProperty(spec, async (value) => {
        const { messages: said } = await admitted(admissionRequest(pod(value as object)), verified);
        expect(said.filter((message) => message.startsWith("InternalError"))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [
      { rules: [{ name: "a", images: ["nginx"], keys: [key] }] },
      "spec.verifyImages.rules[0].images[0]",
      "write docker.io/nginx",
    ],
    [
      { rules: [{ name: "a", images: ["**"], keys: [pem("private")] }] },
      "spec.verifyImages.rules[0].keys[0]",
      "private key",
    ],
    [
      { rules: [{ name: "a", images: ["**"], keys: ["pem"] }] },
      "spec.verifyImages.rules[0].keys[0]",
      "no public key as PEM",
    ],
    [
      { rules: [{ name: "a", images: ["**"], keys: [key + key] }] },
      "spec.verifyImages.rules[0].keys[0]",
      "several keys",
    ],
    [
      { registries: [{ host: "0x7f.1", plainHTTP: false }] },
      "spec.verifyImages.registries[0].host",
      "means 127.0.0.1",
    ],
    [
      { registries: [{ host: "registry.example:443", plainHTTP: false }] },
      "spec.verifyImages.registries[0].host",
      "write that",
    ],
  ])("refuses %j", (verifyImages, path, message) => {
    expect(() => compilePolicy(policy(verifyImages as Partial<Verification>), { serverMinor: 37 })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(new RegExp(`${path.replaceAll(/[[\].]/g, "\\$&")}.*${message}`)),
      }),
    );
  });

  it("says of the policy's own tests what needs a registry", () => {
    const compiled = compilePolicy(policy(), { serverMinor: 37 });
    const test = { name: "t", object: pod(), expect: { decision: "allow" } } as const;
    const [outcome] = runPolicyTests(compiled, [{ ...test, operation: "CREATE" } as never]);
    expect(outcome).toMatchObject({
      result: "error",
      message: expect.stringContaining("asks registry registry.example who signed an image"),
    });
  });
});
