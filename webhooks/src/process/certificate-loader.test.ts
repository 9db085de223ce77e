import {
  type Client,
  ManualClock,
  type Secret,
  silentLogger,
  TransportError,
} from "@shieldx/controller-runtime";
import { TLS_SECRET } from "@shieldx/crds";
import { type KeyPair, readKeyPair } from "@shieldx/pki";
import type { TlsMaterial } from "@shieldx/pki/secret";
import { beforeAll, describe, expect, it } from "vitest";
import { newAuthority, newLeaf } from "../server/server.test-kit.ts";
import { CertificateLoader } from "./certificate-loader.ts";
import { fakeInformer, request, settle } from "./process.test-kit.ts";

describe("the certificate loader", () => {
  let first: KeyPair;
  let second: KeyPair;
  beforeAll(async () => {
    const ca = await newAuthority();
    first = await newLeaf(ca);
    second = await newLeaf(ca);
  });

  const secret = (leaf: KeyPair, version: number, more: Record<string, string> = {}): Secret => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: TLS_SECRET, uid: "u", resourceVersion: String(version) },
    data: Object.fromEntries(
      Object.entries({ "tls.crt": leaf.certificatePem, "tls.key": leaf.privateKeyPem, ...more }).map(
        ([key, value]) => [key, Buffer.from(value).toString("base64")],
      ),
    ),
  });

  function setUp() {
    const cache = fakeInformer<Secret>();
    const seen: TlsMaterial[] = [];
    let unusable = 0;
    let live: Secret | Error | undefined;
    const clock = new ManualClock();
    const client = {
      async find() {
        if (live instanceof Error) throw live;
        return live;
      },
    } as unknown as Client;
    const loader = new CertificateLoader({
      informer: cache.informer,
      client,
      namespace: "n",
      clock,
      logger: silentLogger,
      onChange: (material) => seen.push(material),
      onUnusable: () => {
        unusable++;
      },
    });
    return {
      cache,
      seen,
      loader,
      clock,
      unusable: () => unusable,
      serve: (is: Secret | Error | undefined) => {
        live = is;
      },
    };
  }

  it("never goes back to an older Secret than it has seen", async () => {
    const bed = setUp();
    bed.serve(secret(second, 7));
    bed.cache.set(secret(first, 5));
    await bed.loader.readNow();
    bed.cache.set(secret(first, 6));
    expect(bed.seen.map(({ serving }) => serving.fingerprint)).toEqual([
      first.fingerprint,
      second.fingerprint,
    ]);
  });

  it("says nothing when the leaves did not change, and takes a candidate up and down", () => {
    const bed = setUp();
    const candidate = { "candidate.crt": second.certificatePem, "candidate.key": second.privateKeyPem };
    bed.cache.set(secret(first, 1));
    bed.cache.set(secret(first, 2));
    bed.cache.set(secret(first, 3, candidate));
    bed.cache.set(secret(first, 4));
    expect(bed.seen.map((material) => material.candidate?.fingerprint)).toEqual([
      undefined,
      second.fingerprint,
      undefined,
    ]);
  });

  it("keeps the last good leaf through broken and deleted Secrets", () => {
    const bed = setUp();
    bed.cache.set(secret(first, 1));
    bed.cache.set(secret(first, 2, { "tls.key": second.privateKeyPem }));
    bed.cache.set(secret(first, 3, { "tls.crt": "nothing" }));
    bed.cache.remove(TLS_SECRET);
    expect(bed.unusable()).toBe(3);
    expect(bed.loader.current?.serving.fingerprint).toBe(first.fingerprint);
    expect(bed.seen).toHaveLength(1);
    bed.cache.set({ ...secret(second, 9), metadata: { name: "another" } });
    expect(bed.seen).toHaveLength(1);
  });

  it("polls besides watching, and outlives failures", async () => {
    const bed = setUp();
    const stop = new AbortController();
    const polling = bed.loader.poll(stop.signal);
    const turn = async (): Promise<void> => {
      await settle();
      bed.clock.advance(60_000);
      await settle();
    };
    bed.serve(new TransportError("Timeout", request, "late"));
    await turn();
    bed.serve(secret(first, 1));
    await turn();
    expect(bed.seen).toHaveLength(1);
    stop.abort(new Error("over"));
    await polling;
    expect(readKeyPair(first.certificatePem, first.privateKeyPem).fingerprint).toBe(
      bed.seen[0]!.serving.fingerprint,
    );
  });
});
