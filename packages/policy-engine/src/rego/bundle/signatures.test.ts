import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { bundleOf, type Files, sampleFiles, signed, type TokenDraft } from "./bundle.test-kit.ts";
import { BundleError } from "./errors.ts";
import { readBundle } from "./read.ts";
import {
  type BundleVerifier,
  bundleVerifier,
  type VerificationKey,
  type VerifierOptions,
} from "./verifier.ts";

const secret = "0123456789abcdef0123456789abcdef";
const hs256: VerificationKey = { key: secret, algorithm: "HS256" };
const verifier = bundleVerifier({ keys: { main: hs256 } });
const nowMs = Date.UTC(2026, 0, 1);
// Without the leading slashes, which signatures do not have.
const files: Files = Object.fromEntries(
  Object.entries(sampleFiles).map(([name, content]) => [name.replace("/", ""), content]),
);

function read(given: Files, by: BundleVerifier = verifier) {
  return readBundle(bundleOf(given), { verification: { verifier: by, nowMs } });
}

function refusal(work: () => unknown): BundleError {
  try {
    work();
  } catch (error) {
    if (error instanceof BundleError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

const token = (draft: Partial<TokenDraft> = {}) => signed(files, { secret, ...draft });

describe("a signed bundle", () => {
  it("is read when its signature is good", () => {
    expect(read(token()).manifest.revision).toBe("r1");
  });

  it("may be laid out anew: documents count by what they say", () => {
    const given = {
      ...token(),
      "roles/data.json": '{ "limits": {"b": 1.5, "a": 1},\n "admins": ["ann", "bob"] }',
    };
    expect(read(given).kind).toBe("snapshot");
  });

  it.each<[string, Files, string]>([
    ["a file is changed", { ...token(), "README.md": "x" }, 'another hash for "README.md"'],
    [
      "a number is written otherwise",
      { ...token(), "roles/data.json": '{"admins":["ann","bob"],"limits":{"a":1.0,"b":1.5}}' },
      "another hash",
    ],
    ["a file is added", { ...token(), "more.rego": "package shop" }, 'does not cover "more.rego"'],
    ["a file is missing", signed({ ...files, "gone.rego": "package shop" }, { secret }), ""],
    ["it has expired", token({ claims: { exp: nowMs / 1000 } }), "expired at 2026-01-01T00:00:00.000Z: sign"],
    ["it is of the future", token({ claims: { nbf: nowMs / 1000 + 1 } }), "is not valid before"],
    ["its expiry is no number", token({ claims: { exp: "never" } }), "exp that is no number"],
    ["it is for another scope", token({ claims: { scope: "read" } }), 'is for scope "read", not ""'],
    ["it has no algorithm", token({ header: { alg: "none" } }), 'made with "none"; the key is for HS256'],
    ["it has another algorithm", token({ header: { alg: "HS512" } }), 'made with "HS512"'],
    ["it has demands that are unknown", token({ header: { crit: ["x"], x: 1 } }), "made with"],
    [
      "it is by another key",
      token({ secret: "another secret, but as long as the first" }),
      "not by the configured key",
    ],
    ["it lists a file twice", token({ files: [{ name: "a" }, { name: "a" }] }), 'names "a" twice'],
    [
      "it hashes with MD5",
      token({ files: [{ name: ".manifest", hash: "00", algorithm: "MD5" }] }),
      'with "MD5"; SHA-256',
    ],
    ["it lists nothing", token({ files: [] }), "does not cover"],
    ["there are two", { ...files, ".signatures.json": { signatures: ["a", "b"] } }, "exactly one token"],
    ["there is none in the file", { ...files, ".signatures.json": { signatures: [] } }, "exactly one token"],
    ["it is no token", { ...files, ".signatures.json": { signatures: ["abc"] } }, "cannot be read"],
    [
      "it needs a plugin",
      { ...files, ".signatures.json": { signatures: ["a"], plugin: "kms" } },
      'names the plugin "kms"',
    ],
  ])("is refused when %s", (_what, given, message) => {
    const { "gone.rego": _gone, ...there } = given;
    const error = refusal(() => read(there));
    expect(error.message).toContain(message || 'covers "gone.rego", which is not in the bundle');
    expect(["INVALID_SIGNATURE", "UNSUPPORTED"]).toContain(error.code);
  });

  it("is refused where no key is configured", () => {
    expect(refusal(() => readBundle(bundleOf(token()))).message).toContain(
      "no key to verify it with is configured",
    );
  });
});

describe("an unsigned bundle", () => {
  // OPA accepted it where the configuration named keys but no key id (GHSA-g2pf-6v5v-qcc8).
  it.each<[string, VerifierOptions]>([
    ["keys alone", { keys: { main: hs256 } }],
    ["a key id", { keys: { main: hs256 }, keyId: "main" }],
    ["an empty key id", { keys: { main: hs256 }, keyId: "" }],
    ["a scope", { keys: { main: hs256, other: hs256 }, scope: "write" }],
  ])("is refused whatever the verifier has: %s", (_what, options) => {
    for (const given of [
      files,
      { ...files, ".signatures.json": "{}" },
      { ...files, ".signatures.json": { signatures: null } },
    ])
      expect(["UNSIGNED", "INVALID_SIGNATURE"]).toContain(
        refusal(() => read(given, bundleVerifier(options))).code,
      );
  });

  it("is refused as a delta too, signed or not", () => {
    const delta = { "patch.json": { data: [{ op: "remove", path: "a" }] } };
    for (const given of [delta, signed(delta, { secret })]) {
      expect(refusal(() => read(given)).code).toBe("UNSIGNED");
    }
  });
});

describe("a verifier", () => {
  const pem = (
    type: "spki" | "pkcs1",
    key: { export: (o: { type: typeof type; format: "pem" }) => string | Buffer },
  ) => key.export({ type, format: "pem" }).toString();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privatePem = p256.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

  it.each<[string, VerificationKey, string]>([
    ["no PEM", { key: "secret" }, "is not in PEM form"],
    ["a private key", { key: privatePem, algorithm: "ES256" }, "is a private key"],
    ["a short secret", { key: "short", algorithm: "HS256" }, "has 5 bytes; a secret for HS256 needs 32"],
    [
      "a public key as secret",
      { key: pem("spki", rsa.publicKey), algorithm: "HS256" },
      "must never serve as one",
    ],
    ["no algorithm at all", { key: secret, algorithm: "none" }, 'names the algorithm "none"'],
    [
      "an algorithm of another kind",
      { key: pem("spki", rsa.publicKey), algorithm: "ES256" },
      "is of type rsa, which ES256 cannot use",
    ],
    [
      "another curve",
      { key: pem("spki", p256.publicKey), algorithm: "ES384" },
      "is on the curve prime256v1; ES384 needs",
    ],
    ["a weak key", { key: pem("spki", weak.publicKey) }, "has 1024 bits; an RSA key needs 2048"],
    [
      "a broken key",
      { key: "-----BEGIN PUBLIC KEY-----\nMAAw\n-----END PUBLIC KEY-----\n" },
      "cannot be read",
    ],
  ])("is not made of %s", (_what, key, message) => {
    const error = refusal(() => bundleVerifier({ keys: { main: key } }));
    expect(error.code).toBe("INVALID_KEY");
    expect(error.message).toContain(message);
    expect(error.message).not.toContain(secret);
  });

  it("needs a key, and the one it names", () => {
    expect(refusal(() => bundleVerifier({ keys: {} })).code).toBe("INVALID_KEY");
    expect(refusal(() => bundleVerifier({ keys: { a: hs256 }, keyId: "b" })).code).toBe("INVALID_KEY");
  });

  it("chooses its own key, then the one the signature names, and guesses none of several", () => {
    const other = { ...hs256, key: "f".repeat(32) };
    const keys = { main: hs256, other };
    read(token({ header: { kid: "other" } }), bundleVerifier({ keys, keyId: "main" }));
    read(token({ header: { kid: "main" } }), bundleVerifier({ keys }));
    read(token({ claims: { keyid: "main" } }), bundleVerifier({ keys }));
    expect(refusal(() => read(token(), bundleVerifier({ keys }))).message).toContain("names no key");
    for (const draft of [{ header: { kid: "third" } }, { claims: { keyid: "third" } }])
      expect(refusal(() => read(token(draft), bundleVerifier({ keys }))).message).toContain(
        'is by key "third"',
      );
    read(token({ header: { kid: "default" } }), bundleVerifier({ keys: { main: hs256 } }));
    expect(
      refusal(() => read(token({ header: { kid: "other" } }), bundleVerifier({ keys }))).message,
    ).toContain("not by");
  });

  it("takes the scope of the key where it has none", () => {
    const scoped = token({ claims: { scope: "write" } });
    read(scoped, bundleVerifier({ keys: { main: hs256 }, scope: "write" }));
    read(scoped, bundleVerifier({ keys: { main: { ...hs256, scope: "write" } } }));
    expect(
      refusal(() => read(scoped, bundleVerifier({ keys: { main: hs256 }, scope: "read" }))).message,
    ).toContain("scope");
  });

  it("never takes an HMAC with a public key's text for a signature of the key", () => {
    const publicPem = pem("spki", rsa.publicKey);
    const forged = signed(files, { secret: publicPem });
    expect(
      refusal(() => read(forged, bundleVerifier({ keys: { main: { key: publicPem } } }))).message,
    ).toContain("made with");
  });

  it("reads RSA keys in their older form", () => {
    const by = bundleVerifier({ keys: { main: { key: pem("pkcs1", rsa.publicKey), algorithm: "PS256" } } });
    const given = token({ header: { alg: "PS256" } })[".signatures.json"] as { signatures: string[] };
    const text = (given.signatures[0] ?? "").split(".").slice(0, 2).join(".");
    const signature = sign("sha256", Buffer.from(text), { key: rsa.privateKey, padding: 6, saltLength: 32 });
    read(
      { ...files, ".signatures.json": { signatures: [`${text}.${signature.toString("base64url")}`] } },
      by,
    );
  });
});
