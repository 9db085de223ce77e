import { describe, expect, it } from "vitest";
import { isSecretName, redactFields, redactText } from "./redact.ts";

const pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIGh\n-----END EC PRIVATE KEY-----";
const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl";

describe("redactText", () => {
  it.each([
    ["a private key", pem],
    ["one in base64", Buffer.from(pem).toString("base64")],
    ["one inside JSON", JSON.stringify({ pem })],
    ["a token", jwt],
    ["a bearer header", "Authorization: Bearer abcdef0123456789"],
    ["a basic header", "authorization: basic dXNlcjpwYXNz"],
    ["a password in a URL", "postgres://user:hunter22@db:5432/x"],
    ["a flag", "--client-secret=hunter22 --verbose"],
    ["an environment", "DB_PASSWORD=hunter22"],
    ["a bootstrap token", "abcdef.0123456789abcdef"],
    ["a cloud key", "AKIAIOSFODNN7EXAMPLE"],
  ])("removes %s", (_, text) => {
    const result = redactText(`before ${text} after`);
    for (const secret of [
      "MHcCAQ",
      "TUhjQ0FRRUVJ",
      "c2lnbmF0",
      "abcdef0123",
      "dXNlcjpw",
      "hunter22",
      "0123456789abcdef",
      "AKIAIO",
    ])
      expect(result).not.toContain(secret);
    expect(result).toContain("[redacted]");
    expect(result.startsWith("before ")).toBe(true);
    expect(result.endsWith(" after")).toBe(true);
  });

  it("leaves JSON valid, certificates and ordinary words alone", () => {
    const line = JSON.stringify({ a: pem.slice(0, 40), b: jwt, c: "token review failed, secret not found" });
    expect(JSON.parse(redactText(line))).toEqual({
      a: "[redacted]",
      b: "[redacted]",
      c: "token review failed, secret not found",
    });
    const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    for (const text of [certificate, Buffer.from(certificate).toString("base64"), "key=", "web.a-b", "1.2.3"])
      expect(redactText(text)).toBe(text);
  });
});

describe("redactFields", () => {
  it("hides fields by name at any depth, and cuts what is nested without end", () => {
    const error = new Error("kept");
    const ring: Record<string, unknown> = { deep: {} };
    ring.deep = ring;
    const fields = {
      privateKeyPem: "x",
      list: [{ token: "x", ok: 1 }],
      nested: { password: "x", data: { "tls.key": "x", "tls.crt": "y" } },
      err: error,
      absent: { token: undefined, secret: null },
      when: new Date(0),
      ring,
    };
    const result = redactFields(fields);
    expect(result).toMatchObject({
      privateKeyPem: "[redacted]",
      list: [{ token: "[redacted]", ok: 1 }],
      nested: { password: "[redacted]", data: { "tls.key": "[redacted]", "tls.crt": "y" } },
      err: error,
      absent: { token: undefined, secret: null },
      when: new Date(0),
    });
    expect(JSON.stringify(result)).toContain("nested too deeply");
  });

  it("knows names of secrets from names of other things", () => {
    for (const name of [
      "key",
      "clientKeyData",
      "client-key-data",
      "accessKey",
      "DB_PASSWORD",
      "apiToken",
      "tls.key",
    ])
      expect(isSecretName(name)).toBe(true);
    for (const name of ["keys", "monkey", "tokens", "secretName", "publicKey", "name", "keyUsage", "passed"])
      expect(isSecretName(name)).toBe(false);
  });
});
