/** Who signed images, asked of a registry over real connections on loopback. */
import type { IncomingMessage } from "node:http";
import type { VerifyImagesSpec } from "@shieldx/crds";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Intercept, TestRegistry } from "../../../testing/registry/registry.ts";
import {
  type KeyKind,
  pushSimple,
  signatureBy,
  signBundle,
  signingKey,
  signSimple,
  simplePayload,
  statement,
} from "../../../testing/registry/signing.ts";
import { HttpClient } from "../../rego/http-client/index.ts";
import type { ImageCheck } from "../check.ts";
import { examine } from "../examine.ts";
import { compileImages } from "../rules.ts";
import { ImageVerifier, type ImageVerifierOptions } from "./verifier.ts";

const registry = new TestRegistry();
const ours = signingKey();
const repository = "shop/web";
let results: string[] = [];
let number = 0;
let clockMs = 0;

beforeAll(() => registry.start());
afterAll(() => registry.stop());
beforeEach(() => {
  results = [];
  number++;
  registry.asked.length = 0;
  registry.intercept = () => undefined;
  registry.servesReferrers = true;
});

const verifier = (options: Partial<ImageVerifierOptions> = {}) =>
  new ImageVerifier({
    send: new HttpClient({ monotonicNow: () => performance.now() }).send,
    readSecret: async () =>
      JSON.stringify({ auths: { [registry.host]: { username: "ann", password: "secret" } } }),
    monotonicNow: () => performance.now() + clockMs,
    now: () => Date.now(),
    onVerified: (result) => results.push(result),
    ...options,
  });

interface Asked {
  readonly keys?: readonly string[];
  readonly registries?: Partial<NonNullable<VerifyImagesSpec["registries"]>[number]>;
  readonly timeoutSeconds?: number;
}

/** The question that a policy has of `repository:tag`, or of its digest. */
function checkOf(
  tag: string,
  { keys = [ours.publicKeyPem], registries = {}, timeoutSeconds = 30 }: Asked = {},
): ImageCheck {
  const images = compileImages(
    {
      rules: [{ name: "ours", images: [`${registry.host}/**`], keys: [...keys] }],
      registries: [
        {
          host: registry.host,
          plainHTTP: false,
          certificateAuthorities: registry.certificatePem,
          ...registries,
        },
      ],
      otherImages: "Allow",
      pinDigest: true,
      timeoutSeconds,
    },
    true,
  );
  const separator = tag.startsWith("sha256:") ? "@" : ":";
  const examined = examine(images, {
    text: `${registry.host}/${repository}${separator}${tag}`,
    of: "",
    path: [],
  });
  const [check] = examined.kind === "asks" ? examined.checks : [];
  if (check === undefined) throw new Error("no question");
  return check;
}

/** An image of its own for each test: nothing is kept of it. */
function image(): { readonly tag: string; readonly digest: string } {
  const tag = `v${number}`;
  return { tag, digest: registry.pushImage(repository, tag, `content ${number}`) };
}

const problemOf = (outcome: { kind: string; problem?: string }) => `${outcome.kind}: ${outcome.problem}`;

describe("an image", () => {
  it.each<KeyKind>(["P-256", "P-384", "P-521", "rsa", "ed25519"])(
    "is verified by a key of %s, in both of cosign's forms",
    async (kind) => {
      const key = signingKey(kind);
      const { tag, digest } = image();
      const asked = { keys: [ours.publicKeyPem, key.publicKeyPem] };
      signSimple(registry, repository, digest, key);
      expect(await verifier().verify(checkOf(tag, asked), 60_000)).toEqual({
        kind: "verified",
        digest,
        signer: "keys[1]",
      });
      const bundled = registry.pushImage(repository, "b", `bundled ${kind}`);
      signBundle(registry, repository, bundled, key);
      expect(await verifier().verify(checkOf(bundled, asked), 60_000)).toMatchObject({
        kind: "verified",
        digest: bundled,
      });
      registry.servesReferrers = false;
      expect(problemOf(await verifier().verify(checkOf(bundled, asked), 60_000))).toContain(
        "it carries no signature",
      );
      registry.tagReferrers(repository, bundled);
      expect(await verifier().verify(checkOf(bundled, asked), 60_000)).toMatchObject({ kind: "verified" });
    },
  );

  it("is not verified by another key, another image's signature, another statement or a changed payload", async () => {
    const { tag, digest } = image();
    const unsigned = problemOf(await verifier().verify(checkOf(tag), 60_000));
    expect(unsigned).toBe(`unsigned: it carries no signature (${digest})`);
    expect(problemOf(await verifier().verify(checkOf("none"), 60_000))).toBe(
      "unsigned: the registry has no such image",
    );

    signSimple(registry, repository, digest, signingKey());
    expect(problemOf(await verifier().verify(checkOf(tag), 60_000))).toContain(
      "it is not by a key of the rule",
    );

    const other = registry.pushImage(repository, "other", `other ${number}`);
    const payload = simplePayload(other);
    const signature = signatureBy(ours, payload);
    pushSimple(registry, repository, digest, [
      { payload, signature },
      { payload: simplePayload(digest), signature },
      { payload: simplePayload(digest, { critical: null }), signature: signatureBy(ours, payload) },
      { payload: Buffer.from("no json"), signature },
    ]);
    signBundle(registry, repository, digest, ours, statement(digest, "https://slsa.dev/provenance/v1"));
    signBundle(registry, repository, digest, ours, statement(other));
    expect(problemOf(await verifier().verify(checkOf(digest), 60_000))).toBe(
      `unsigned: it carries a signature, but it signs something else, and 5 more that are no better (${digest})`,
    );
  });

  it("is verified by the one good signature among others, whatever is wrong with them", async () => {
    const { tag, digest } = image();
    const payload = simplePayload(digest);
    pushSimple(registry, repository, digest, [
      { payload: Buffer.from("{}"), signature: Buffer.from("x") },
      { payload, signature: signatureBy(signingKey(), payload) },
      {
        payload,
        signature: signatureBy(ours, payload),
        annotations: { "dev.sigstore.cosign/certificate": "no PEM" },
      },
    ]);
    expect(await verifier().verify(checkOf(tag), 60_000)).toMatchObject({ kind: "verified" });
  });
});

describe("what has been found out", () => {
  it("is kept by digest, so that a registry that is gone refuses nothing that it has vouched for", async () => {
    const { tag, digest } = image();
    signSimple(registry, repository, digest, ours);
    const one = verifier();
    await one.verify(checkOf(tag), 60_000);
    registry.asked.length = 0;
    registry.intercept = (request) => void request.socket.destroy() === undefined;
    expect(await one.verify(checkOf(tag), 60_000)).toMatchObject({ kind: "verified" });
    clockMs += 3_600_000;
    expect(await one.verify(checkOf(digest), 60_000)).toMatchObject({ kind: "verified" });
    expect([registry.asked, results]).toEqual([[], ["verified", "kept", "kept"]]);
    // A tag may have moved.
    expect(problemOf(await one.verify(checkOf(tag), 60_000))).toMatch(
      /^unknown: 127\.0\.0\.1:\d+ cannot be reached/,
    );
    // By other keys nothing has been found out.
    const others = checkOf(digest, { keys: [signingKey().publicKeyPem] });
    expect((await one.verify(others, 60_000)).kind).toBe("unknown");
  });

  it("is asked once for all who ask at the same time, and again a moment after a refusal", async () => {
    const { tag, digest } = image();
    const one = verifier();
    const all = await Promise.all(Array.from({ length: 50 }, () => one.verify(checkOf(tag), 60_000)));
    expect(new Set(all.map(problemOf)).size).toBe(1);
    expect(registry.asked.filter((path) => path.endsWith(`/${tag}`))).toHaveLength(1);
    signSimple(registry, repository, digest, ours);
    expect((await one.verify(checkOf(tag), 60_000)).kind).toBe("unsigned");
    clockMs += 6_000;
    expect((await one.verify(checkOf(tag), 60_000)).kind).toBe("verified");
  });

  it("goes on when a request has no more time, and is there for the next one", async () => {
    const { tag, digest } = image();
    signSimple(registry, repository, digest, ours);
    const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
    const { promise: isLetGo, resolve: letGo } = Promise.withResolvers<void>();
    registry.intercept = (request, response) => {
      if (!request.url?.endsWith(`/${tag}`)) return undefined;
      asked();
      void isLetGo.then(() => response.writeHead(200, { "Docker-Content-Digest": digest }).end());
      return true;
    };
    const one = verifier();
    const first = await one.verify(checkOf(tag), 50);
    expect(problemOf(first)).toMatch(
      /^unknown: registry .* did not answer within 50 ms, which is all the time/,
    );
    await isAsked;
    letGo();
    expect((await one.verify(checkOf(tag), 60_000)).kind).toBe("verified");
  });

  it("never takes longer than it may, and has no more under way than its share", async () => {
    let open = 0;
    let most = 0;
    registry.intercept = ({ socket }) => {
      most = Math.max(most, ++open);
      socket.once("close", () => open--);
      return true;
    };
    const one = verifier();
    const all = Array.from({ length: 40 }, (_, at) =>
      one.verify(checkOf(`t${at}`, { timeoutSeconds: 1 }), 1_500),
    );
    const outcomes = await Promise.all(all);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["unknown"]));
    expect(most).toBeLessThanOrEqual(6);
  });
});

describe("a registry that wants credentials", () => {
  const authorization = (request: IncomingMessage) => request.headers.authorization;
  const decoded = (text = "") => Buffer.from(text.replace("Basic ", ""), "base64").toString();
  const pullSecretRef = { name: "registry", key: ".dockerconfigjson" };

  it("gets a token for the repository, for them or without, and it is used again", async () => {
    const { tag, digest } = image();
    signSimple(registry, repository, digest, ours);
    const tokens: (string | undefined)[] = [];
    registry.intercept = (request, response) => {
      if (request.url?.startsWith("/token")) {
        tokens.push(`${decodeURIComponent(request.url)} ${decoded(authorization(request))}`);
        response.end(JSON.stringify({ token: "t0ken", expires_in: 300 }));
        return true;
      }
      if (authorization(request) === "Bearer t0ken") return undefined;
      const realm = `https://${registry.host}/token`;
      response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}",service="test"` }).end();
      return true;
    };
    expect(await verifier().verify(checkOf(tag), 60_000)).toMatchObject({ kind: "verified" });
    expect(await verifier().verify(checkOf(tag, { registries: { pullSecretRef } }), 60_000)).toMatchObject({
      kind: "verified",
    });
    const scope = `/token?service=test&scope=repository:${repository}:pull`;
    expect(tokens).toEqual([`${scope} `, `${scope} ann:secret`]);
  });

  it("gets them by Basic, and an answer where it gets none or refuses them", async () => {
    const { tag, digest } = image();
    signSimple(registry, repository, digest, ours);
    const wanting =
      (password: string): Intercept =>
      (request, response) => {
        if (decoded(authorization(request)) === `ann:${password}`) return undefined;
        response.writeHead(401, { "WWW-Authenticate": 'Basic realm="test"' }).end();
        return true;
      };
    registry.intercept = wanting("secret");
    const asked = checkOf(tag, { registries: { pullSecretRef } });
    expect(await verifier().verify(asked, 60_000)).toMatchObject({ kind: "verified" });
    expect(problemOf(await verifier().verify(checkOf(tag), 60_000))).toMatch(
      /wants credentials: name their Secret as pullSecretRef/,
    );
    registry.intercept = wanting("another");
    const refused = problemOf(await verifier().verify(asked, 60_000));
    expect(refused).toMatch(/refuses the credentials in Secret "registry"/);
    expect(refused).not.toMatch(/ann|secret"?:/);
    const none = verifier({
      readSecret: () => Promise.reject(new Error('there is no Secret "registry": create it')),
    });
    expect(problemOf(await none.verify(asked, 60_000))).toContain('there is no Secret "registry": create it');
    const foreign = verifier({ readSecret: async () => '{"auths":{"other.example":{"auth":"YTpi"}}}' });
    expect(problemOf(await foreign.verify(asked, 60_000))).toContain("has no credentials for 127.0.0.1");
  });

  it("does not get them sent to a host that it names itself", async () => {
    const { tag } = image();
    const bearer =
      (realm: string): Intercept =>
      (_, response) => {
        response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}"` }).end();
        return true;
      };
    for (const realm of [
      "https://evil.example/token",
      "http://169.254.169.254/latest/",
      `http://${registry.host}/token`,
      "x",
    ]) {
      registry.intercept = bearer(realm);
      const outcome = await verifier().verify(checkOf(tag, { registries: { pullSecretRef } }), 60_000);
      expect(problemOf(outcome)).toMatch(/list it in tokenHosts|names no address where tokens are had/);
    }
    expect(registry.asked.filter((path) => path.includes("token"))).toEqual([]);
  });
});

describe("a registry that sends on", () => {
  it("is followed to hosts that are listed, without credentials, and to no others in private networks", async () => {
    const { tag, digest } = image();
    signSimple(registry, repository, digest, ours);
    const storage = new TestRegistry("storage");
    await storage.start();
    try {
      const seen: (string | undefined)[] = [];
      storage.intercept = (request, response) => {
        seen.push(request.headers.authorization);
        const body = simplePayload(digest);
        response.end(body);
        return true;
      };
      const to =
        (location: string): Intercept =>
        (request, response) => {
          if (request.headers.authorization === undefined) {
            response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end();
            return true;
          }
          if (!request.url?.includes("/blobs/")) return undefined;
          response.writeHead(307, { Location: location }).end();
          return true;
        };
      const pullSecretRef = { name: "registry", key: ".dockerconfigjson" };
      const authorities = `${registry.certificatePem}${storage.certificatePem}`;
      registry.intercept = to(`https://${storage.host}/blob`);
      const listed = { pullSecretRef, certificateAuthorities: authorities, redirectHosts: [storage.host] };
      expect(await verifier().verify(checkOf(tag, { registries: listed }), 60_000)).toMatchObject({
        kind: "verified",
      });
      expect(seen).toEqual([undefined]);
      for (const [location, problem] of [
        [`https://${storage.host}/blob`, /sends on to 127\.0\.0\.1:\d+: list it in redirectHosts/],
        ["http://storage.example/blob", /sends on to http:\/\/storage\.example: list it/],
        ["https://[::1]/blob", /sends on to \[::1\]: list it/],
        ["https://user:pw@storage.example/", /sends on to what is no URL of a host/],
        ["https://localhost:1/blob", /localhost leads to the loopback address/],
        ["file:///etc/passwd", /sends on to/],
        [`https://${registry.host}/v2/${repository}/blobs/again`, /sends on more than 3 times/],
      ] as const) {
        registry.intercept = to(location);
        const outcome = await verifier().verify(checkOf(tag, { registries: { pullSecretRef } }), 60_000);
        expect(problemOf(outcome)).toMatch(problem);
      }
      expect(seen).toHaveLength(1);
    } finally {
      storage.stop();
    }
  });
});

describe("a registry that answers what it should not", () => {
  it.each<[string, Intercept, RegExp]>([
    ["nonsense", (_, response) => void response.end("nonsense") === undefined, /carries no signature/],
    ["500", (_, response) => void response.writeHead(500).end() === undefined, /the registry answers 500 to/],
    ["429", (_, response) => void response.writeHead(429).end() === undefined, /too many requests/],
    ["403", (_, response) => void response.writeHead(403).end() === undefined, /wants credentials/],
    [
      "an endless body",
      (_, response) => void response.end(Buffer.alloc(2_000_000, " ")) === undefined,
      /more than 1048576 bytes/,
    ],
    [
      "another image under a digest",
      (request, response) =>
        request.url?.includes("/manifests/") && request.method === "GET"
          ? void response.end('{"layers":[]}') === undefined
          : undefined,
      /it signs something else|carries no signature/,
    ],
  ])("%s: has not vouched for anything", async (_, intercept, problem) => {
    const { tag, digest } = image();
    signBundle(registry, repository, digest, ours);
    registry.intercept = intercept;
    for (const asked of [tag, digest]) {
      const outcome = await verifier().verify(checkOf(asked), 60_000);
      expect(outcome.kind).not.toBe("verified");
      expect(problemOf(outcome)).toMatch(problem);
    }
  });
});
