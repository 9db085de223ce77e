import { createHmac, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { PlainObject, RegoValue } from "../values.ts";
import { call, nowNs } from "./builtins.test-kit.ts";

const seconds = Number(nowNs / 1_000_000_000n);
const claims = { iss: "me", aud: ["you"], exp: seconds + 60, nbf: seconds - 60 };

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pairs = {
  RS256: rsa,
  PS384: rsa,
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES512: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: generateKeyPairSync("ed25519"),
};

const jwkOf = (key: (typeof rsa)["privateKey"]) => key.export({ format: "jwk" }) as PlainObject;
const pemOf = (key: (typeof rsa)["publicKey"]) =>
  key.export({ format: "pem", type: "spki" }).toString().trimEnd();

function decodeVerify(token: RegoValue, constraints: PlainObject): unknown {
  return (call("io.jwt.decode_verify", token, constraints) as readonly unknown[])[0];
}

describe.each(Object.entries(pairs))("a token signed with %s", (alg, { privateKey, publicKey }) => {
  const token = call("io.jwt.encode_sign", { alg, typ: "JWT" }, claims, jwkOf(privateKey)) as string;
  const verify = `io.jwt.verify_${alg.toLowerCase()}`;

  it("is verified by its public key, in PEM and as JWK", () => {
    expect(call(verify, token, pemOf(publicKey))).toBe(true);
    expect(call(verify, token, JSON.stringify({ keys: [jwkOf(publicKey)] }))).toBe(true);
    expect(decodeVerify(token, { cert: pemOf(publicKey), iss: "me", aud: "you", alg })).toBe(true);
  });

  it("is refused when it was changed, or by another key", () => {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const other = Buffer.from(JSON.stringify({ ...claims, iss: "they" })).toString("base64url");
    expect(call(verify, `${header}.${other}.${signature}`, pemOf(publicKey))).toBe(false);
    expect(call(verify, `${header}.${payload}.AAAA`, pemOf(publicKey))).toBe(false);
    for (const [name, pair] of Object.entries(pairs))
      if (name !== alg && pair !== pairs[alg as keyof typeof pairs])
        expect(call(verify, token, pemOf(pair.publicKey))).toBe(false);
  });

  it("is not verified by a private key", () => {
    expect(call(verify, token, JSON.stringify(jwkOf(privateKey)))).toBe(false);
  });
});

describe("io.jwt.decode_verify", () => {
  const { privateKey, publicKey } = pairs.RS256;
  const cert = pemOf(publicKey);
  const signed = (payload: PlainObject) =>
    call("io.jwt.encode_sign", { alg: "RS256" }, payload, jwkOf(privateKey)) as string;

  it.each([
    ["expired", { exp: seconds - 1 }, {}, false],
    ["not yet valid", { nbf: seconds + 10 }, {}, false],
    ["valid at another time", { exp: seconds - 1 }, { time: 0 }, true],
    ["of another issuer", { iss: "x" }, { iss: "me" }, false],
    ["for an audience nobody asked for", { aud: "you" }, {}, false],
    ["for no audience when one is asked for", {}, { aud: "you" }, false],
    ["of another algorithm", {}, { alg: "ES256" }, false],
  ])("%s", (_, payload, constraints, expected) => {
    expect(decodeVerify(signed(payload), { cert, ...constraints } as PlainObject)).toBe(expected);
  });

  it("never takes a public key for a secret", () => {
    const header = Buffer.from('{"alg":"HS256"}').toString("base64url");
    const body = `${header}.${Buffer.from("{}").toString("base64url")}`;
    const forged = `${body}.${createHmac("sha256", cert).update(body).digest("base64url")}`;
    expect(decodeVerify(forged, { cert })).toBe(false);
    expect(decodeVerify(`${Buffer.from('{"alg":"none"}').toString("base64url")}.e30.`, { cert })).toBe(false);
  });

  it("refuses what it does not understand to be critical, and constraints it does not know", () => {
    const token = call("io.jwt.encode_sign", { alg: "RS256", crit: ["x"], x: 1 }, {}, jwkOf(privateKey));
    expect(decodeVerify(token!, { cert })).toBe(false);
    expect(() => decodeVerify(token!, { cert, issuer: "me" })).toThrow(
      "unknown token validation constraint: issuer",
    );
    expect(() => decodeVerify(token!, {})).toThrow("no key constraint");
  });
});
