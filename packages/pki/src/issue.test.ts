import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { describe, expect, it } from "vitest";
import {
  daysLeft,
  fingerprint,
  isSignedBy,
  isValidAt,
  joinBundle,
  readKeyPair,
  sameBundle,
  splitBundle,
} from "./certificate.ts";
import { PkiError } from "./errors.ts";
import { generateCa, issueLeaf } from "./issue.ts";

const now = Date.now();
const day = 86_400_000;
const authority = () => generateCa({ commonName: "test ca", now, lifetimeMs: 30 * day });

describe("issuing", () => {
  it("gives an authority that may sign leaves only, valid from five minutes ago", async () => {
    const ca = await authority();
    expect(ca.isAuthority).toBe(true);
    expect(now - ca.notBeforeMs).toBeGreaterThanOrEqual(5 * 60_000);
    expect(now - ca.notBeforeMs).toBeLessThan(5 * 60_000 + 1000);
    expect(ca.serialNumber).toMatch(/^[0-9a-f]{32}$/);
    const text = openssl(ca.certificatePem);
    expect(text).toMatch(/CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Basic Constraints: critical/);
    expect(text).toMatch(/Certificate Sign, CRL Sign/);
    expect(text).toMatch(/prime256v1/);
    expect(text).toMatch(/ecdsa-with-SHA256/);
  });

  it("gives a server leaf with every name, linked to its authority by key identifier", async () => {
    const ca = await authority();
    const leaf = await issueLeaf({
      ca,
      dnsNames: ["shieldx-webhooks.shieldx-system.svc"],
      ipAddresses: ["127.0.0.1", "::1"],
      uris: ["spiffe://cluster.local/ns/shieldx-system/sa/shieldx-webhooks"],
      now,
      lifetimeMs: day,
    });
    expect(leaf.dnsNames).toEqual(["shieldx-webhooks.shieldx-system.svc"]);
    expect(leaf.ipAddresses).toEqual(["127.0.0.1", "::1"]);
    expect(leaf.uris).toEqual(["spiffe://cluster.local/ns/shieldx-system/sa/shieldx-webhooks"]);
    expect(isSignedBy(leaf, ca)).toBe(true);
    expect(isSignedBy(leaf, await authority())).toBe(false);
    const text = openssl(leaf.certificatePem);
    expect(text).toMatch(/TLS Web Server Authentication/);
    expect(text).not.toMatch(/TLS Web Client Authentication/);
    const subjectKey = /Subject Key Identifier:\s*([0-9A-F:]+)/.exec(openssl(ca.certificatePem))?.[1];
    expect(/Authority Key Identifier:\s*([0-9A-F:]+)/.exec(text)?.[1]).toBe(subjectKey);
    expect(readKeyPair(leaf.certificatePem, leaf.privateKeyPem).fingerprint).toBe(leaf.fingerprint);
  });

  it("is accepted by a verifying TLS 1.3 client, and refused once another authority is trusted", async () => {
    const ca = await authority();
    const leaf = await issueLeaf({
      ca,
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1"],
      now,
      lifetimeMs: day,
    });
    const server = createServer({
      cert: leaf.certificatePem,
      key: leaf.privateKeyPem,
      minVersion: "TLSv1.3",
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const port = (server.address() as AddressInfo).port;
    const meet = (trusted: string) =>
      new Promise<string>((done) => {
        const socket = connect({ port, host: "127.0.0.1", ca: trusted, servername: "localhost" }, () => {
          done(socket.getProtocol() ?? "");
          socket.destroy();
        });
        socket.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
      });
    expect(await meet(ca.certificatePem)).toBe("TLSv1.3");
    const other = await authority();
    expect(await meet(other.certificatePem)).not.toBe("TLSv1.3");
    expect(await meet(joinBundle([other.certificatePem, ca.certificatePem]))).toBe("TLSv1.3");
    server.close();
  });

  it("is verified by openssl with the strict profile", async () => {
    const ca = await authority();
    const leaf = await issueLeaf({ ca, dnsNames: ["a.example"], ipAddresses: [], now, lifetimeMs: day });
    const folder = mkdtempSync(join(tmpdir(), "pki-"));
    try {
      writeFileSync(join(folder, "ca.pem"), ca.certificatePem);
      writeFileSync(join(folder, "leaf.pem"), leaf.certificatePem);
      const verified = execFileSync(
        "openssl",
        [
          "verify",
          "-x509_strict",
          "-purpose",
          "sslserver",
          "-CAfile",
          join(folder, "ca.pem"),
          join(folder, "leaf.pem"),
        ],
        { encoding: "utf8" },
      );
      expect(verified).toMatch(/OK/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("never lets a leaf outlive its authority", async () => {
    const ca = await authority();
    const leaf = await issueLeaf({ ca, dnsNames: ["a"], ipAddresses: [], now, lifetimeMs: 300 * day });
    expect(leaf.notAfterMs).toBe(ca.notAfterMs);
    await expect(
      issueLeaf({ ca, dnsNames: ["a"], ipAddresses: [], now: now + 31 * day, lifetimeMs: day }),
    ).rejects.toMatchObject({ code: "request_invalid" });
  });

  it.each([
    { dnsNames: ["no spaces"], ipAddresses: [] },
    { dnsNames: [], ipAddresses: ["300.1.1.1"] },
    { dnsNames: [], ipAddresses: [], uris: ["not a uri"] },
    { dnsNames: [], ipAddresses: [] },
  ])("refuses names that cannot be certified: %j", async (names) => {
    await expect(issueLeaf({ ca: await authority(), now, lifetimeMs: day, ...names })).rejects.toBeInstanceOf(
      PkiError,
    );
  });
});

describe("reading", () => {
  it("agrees with node:crypto on fingerprint and time", async () => {
    const ca = await authority();
    expect(fingerprint(ca.certificatePem)).toBe(
      new X509Certificate(ca.certificatePem).fingerprint256.replaceAll(":", "").toLowerCase(),
    );
    expect(daysLeft(ca, now)).toBeCloseTo(30, 3);
    expect(isValidAt(ca, now)).toBe(true);
    expect(isValidAt(ca, now + 31 * day)).toBe(false);
    expect(isValidAt(ca, now - day)).toBe(false);
  });

  it("compares bundles by content, not by order, wrapping or comments", async () => {
    const [a, b] = [await authority(), await authority()];
    const bundle = joinBundle([a.certificatePem, b.certificatePem, a.certificatePem]);
    expect(splitBundle(bundle)).toHaveLength(2);
    expect(sameBundle(bundle, `# note\n${b.certificatePem}\r\n${a.certificatePem}`)).toBe(true);
    expect(sameBundle(bundle, a.certificatePem)).toBe(false);
  });

  it("says what is wrong with unusable input, without printing keys", async () => {
    const [a, b] = [await authority(), await authority()];
    expect(() => readKeyPair(a.certificatePem, b.privateKeyPem)).toThrowError(
      expect.objectContaining({ code: "key_mismatch" }),
    );
    expect(() => readKeyPair(a.certificatePem, "nothing")).toThrowError(
      expect.objectContaining({ code: "pem_invalid" }),
    );
    expect(() => fingerprint("nothing")).toThrowError(expect.objectContaining({ code: "pem_invalid" }));
    expect(() => fingerprint("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).toThrowError(
      expect.objectContaining({ code: "pem_invalid" }),
    );
  });
});

function openssl(pem: string): string {
  return execFileSync("openssl", ["x509", "-noout", "-text"], { input: pem, encoding: "utf8" });
}
