import type { EndpointSlice, Lease } from "@shieldx/controller-runtime";
import { advanceTrustBundle, type Observations, readTrustBundle, type TrustBundleState } from "@shieldx/pki";
import { describe, expect, it } from "vitest";
import { BUNDLE_ENTRY, readBundle } from "./bundle-entry.ts";
import {
  announcements,
  certificateDays,
  certificateOptions,
  decode,
  fingerprintIn,
  probesToTry,
  sameData,
  secretData,
} from "./decide.ts";
import {
  apiServerEndpoints,
  certificateObservations,
  publishedBundles,
  serversShareAddress,
} from "./observe.ts";

const NOW = Date.now();
const service = { kind: "service", namespace: "shieldx-system" } as const;
const options = certificateOptions(service, "shieldx-system");

const slice = (addresses: string[], over: Partial<EndpointSlice> = {}): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "kubernetes" },
  addressType: "IPv4",
  endpoints: [{ addresses, conditions: { ready: true } }],
  ports: [{ name: "https", port: 6443 }],
  ...over,
});
const configuration = (name: string, bundle: string) => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name },
  webhooks: [
    {
      name: "probe.shieldx.io",
      clientConfig: { caBundle: Buffer.from(bundle).toString("base64") },
      sideEffects: "None" as const,
      admissionReviewVersions: ["v1"],
    },
  ],
});

describe("certificateOptions", () => {
  it("names the Service, and the host's address when the webhook runs on one", () => {
    expect(options).toMatchObject({
      dnsNames: ["shieldx-webhooks.shieldx-system.svc", "shieldx-webhooks.shieldx-system.svc.cluster.local"],
      ipAddresses: [],
    });
    const onHost = { kind: "url", admit: "https://127.0.0.1:9443", probe: "https://[::1]:9444" } as const;
    expect(certificateOptions(onHost, "x").ipAddresses).toEqual(["127.0.0.1", "::1"]);
    const named = {
      kind: "url",
      admit: "https://host.example:9443",
      probe: "https://host.example:9444",
    } as const;
    expect(certificateOptions(named, "x").dnsNames).toContain("host.example");
  });
});

describe("what the API servers are", () => {
  it("reads every ready address with the https port", () => {
    const notReady = { addresses: ["10.0.0.9"], conditions: { ready: false } };
    const slices = [
      slice(["10.0.0.2", "10.0.0.1"]),
      slice(["fd00::1"], { addressType: "IPv6", endpoints: [{ addresses: ["fd00::1"] }, notReady] }),
    ];
    expect(apiServerEndpoints(slices)).toEqual(["10.0.0.1:6443", "10.0.0.2:6443", "[fd00::1]:6443"]);
    expect(apiServerEndpoints([])).toEqual([]);
  });

  it("notices servers that hide behind one address, and forgets those that are gone", () => {
    const identity = (name: string, renewTime: string): Lease => ({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name },
      spec: { renewTime, leaseDurationSeconds: 3600 },
    });
    const a = identity("a", "2026-01-01T00:10:00Z");
    const b = identity("b", "2026-01-01T00:10:05Z");
    const gone = identity("gone", "2026-01-01T00:00:00Z");
    expect(serversShareAddress([a, b], 1)).toBe(true);
    expect(serversShareAddress([a, b], 2)).toBe(false);
    expect(serversShareAddress([a, gone], 1)).toBe(false);
    expect(serversShareAddress([], 1)).toBe(false);
  });
});

describe("a rotation", () => {
  const observe = (
    bundle: string,
    over: Partial<Parameters<typeof certificateObservations>[0]> = {},
  ): Observations =>
    certificateObservations({
      configurations: [configuration("shieldx-policies-fail", bundle), undefined],
      slices: [slice(["10.0.0.1", "10.0.0.2"])],
      identityLeases: [],
      replicas: [],
      probes: {},
      rotate: undefined,
      ...over,
    });
  const start = async () =>
    advanceTrustBundle({ state: undefined, observed: observe(""), now: NOW, options });
  const replica = (servingLeaf: string, candidateLeaf?: string) => ({
    name: "r1",
    policySetDigest: undefined,
    kept: { policies: [], more: 0 },
    problems: [],
    servingLeaf,
    candidateLeaf,
  });

  it("stores a state that reads back, with the bundle beside it and no key in the bundle", async () => {
    const { state, desired } = await start();
    const { ca, tls } = secretData(state, desired);
    const entries = decode(ca);
    expect(readTrustBundle(entries).serving.fingerprint).toBe(state.serving.fingerprint);
    expect(entries[BUNDLE_ENTRY]).toBe(desired.caBundle);
    expect(entries[BUNDLE_ENTRY]).not.toContain("PRIVATE KEY");
    expect(readBundle({ apiVersion: "v1", kind: "Secret", metadata: { name: "x" }, data: ca })).toBe(
      desired.caBundle,
    );
    expect(Object.keys(tls).sort()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
    expect(sameData(ca, { ...ca })).toBe(true);
    expect(sameData(ca, { ...ca, more: "" })).toBe(false);
    expect(sameData(undefined, ca)).toBe(false);
    expect(Object.keys(certificateDays(state, NOW)).sort()).toEqual(["ca", "serving"]);
  });

  it("probes each server under each configuration once bundle and candidate are everywhere, and then switches", async () => {
    const first = await start();
    const rotating = await advanceTrustBundle({
      state: first.state,
      observed: observe(first.desired.caBundle, {
        rotate: "ca:1",
        replicas: [replica(first.state.serving.fingerprint)],
      }),
      now: NOW,
      options,
    });
    expect(rotating.state.phase).toBe("Distribute");
    const candidate = rotating.desired.candidate?.fingerprint ?? "";
    const { caBundle } = rotating.desired;
    const ready = [replica(first.state.serving.fingerprint, candidate)];

    expect(probesToTry(rotating.desired, observe(first.desired.caBundle, { replicas: ready }))).toEqual([]);
    expect(probesToTry(rotating.desired, observe(caBundle, { replicas: [replica("old")] }))).toEqual([]);
    expect(probesToTry(rotating.desired, observe(caBundle, { replicas: [] }))).toEqual([]);
    expect(probesToTry(first.desired, observe(caBundle, { replicas: ready }))).toEqual([]);
    expect(probesToTry(rotating.desired, observe(caBundle, { replicas: ready }))).toEqual([
      { server: "10.0.0.1:6443", configuration: "shieldx-policies-fail" },
      { server: "10.0.0.2:6443", configuration: "shieldx-policies-fail" },
    ]);

    const half = { "10.0.0.1:6443": { "shieldx-policies-fail": candidate } };
    const waiting = observe(caBundle, { replicas: ready, probes: half, rotate: "ca:1" });
    expect(probesToTry(rotating.desired, waiting)).toHaveLength(1);
    const still = await advanceTrustBundle({ state: rotating.state, observed: waiting, now: NOW, options });
    expect(still.state.phase).toBe("Distribute");

    const all = { ...half, "10.0.0.2:6443": { "shieldx-policies-fail": candidate } };
    const seen = observe(caBundle, { replicas: ready, probes: all, rotate: "ca:1" });
    const switched = await advanceTrustBundle({ state: still.state, observed: seen, now: NOW, options });
    expect(switched.state.phase).toBe("Switch");
    expect(announcements(rotating.state, switched.state, []).rotated).toEqual(["serving"]);
    const stable: TrustBundleState = { ...switched.state, phase: "Stable" };
    expect(announcements(switched.state, stable, [])).toMatchObject({
      rotated: ["ca"],
      events: [{ reason: "AuthorityRetired" }],
    });
    for (const { note } of announcements(rotating.state, switched.state, ["why"]).events) {
      expect(note).not.toContain("PRIVATE");
    }
  });

  it("reads an entry without a bundle as an empty one, so that it is waited for", () => {
    const bare = configuration("shieldx-kinds", "");
    expect(publishedBundles([bare, undefined])).toEqual({ "shieldx-kinds": [""] });
  });
});

describe("fingerprintIn", () => {
  it("finds the leaf in the probe webhook's refusal and nothing in other errors", () => {
    const leaf = "ab".repeat(32);
    expect(
      fingerprintIn(`admission webhook "probe.shieldx.io" denied the request: served leaf ${leaf}`),
    ).toBe(leaf);
    expect(
      fingerprintIn(
        'failed calling webhook "probe.shieldx.io": x509: certificate signed by unknown authority',
      ),
    ).toBeUndefined();
  });
});
