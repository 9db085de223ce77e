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
    ["a flag and its value", "--client-secret hunter22"],
    ["a flag and its value as a list in YAML", "args:\n  - --api-token\n  - hunter22\n "],
    ["a flag and its value as a list in JSON", '["--api-token", "hunter22"]'],
    ["a field of JSON", '{"dbPassword": "hunter22\\"hunter22"}'],
    ["a field of JSON in a string of JSON", JSON.stringify({ msg: JSON.stringify({ token: "hunter22" }) })],
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
    const flags = ["--token --verbose", '["--token","--verbose"]', "--token-file /a/b"];
    const others = ["key=", "web.a-b", "1.2.3"];
    for (const text of [certificate, Buffer.from(certificate).toString("base64"), ...others, ...flags])
      expect(redactText(text)).toBe(text);
  });
});

describe("a long text", () => {
  // Twice the length may take twice the time; one that takes four times as long holds up a process for minutes.
  it.each(["a-", "-eyJ", "--a", "-", '\\"', "token", '":"', "passwordx "])(
    "of %j takes no time to look through",
    (part) => {
      const text = `${part.repeat(200_000 / part.length)} secret=hunter22`;
      const before = performance.now();
      expect(redactText(text)).not.toContain("hunter22");
      expect(performance.now() - before).toBeLessThan(2_000);
    },
  );
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
