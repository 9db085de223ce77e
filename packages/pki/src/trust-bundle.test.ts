import { describe, expect, it } from "vitest";
import { advanceTrustBundle } from "./advance.ts";
import { isSignedBy, sameBundle, splitBundle } from "./certificate.ts";
import { PkiError } from "./errors.ts";
import { renewalTime } from "./renewal.ts";
import { readTlsSecret, readTrustBundle, storeTrustBundle, tlsSecretEntries } from "./secret-format.ts";
import type { Desired, Observations, TrustBundleOptions, TrustBundleState } from "./trust-bundle.ts";
import { trustBundleStep } from "./trust-bundle.ts";

const day = 86_400_000;
const start = Date.UTC(2027, 0, 1);
const options: TrustBundleOptions = {
  commonName: "shieldx-webhooks",
  dnsNames: ["shieldx-webhooks.shieldx-system.svc"],
  ipAddresses: ["127.0.0.1", "0:0:0:0:0:0:0:1"],
  caLifetimeMs: 730 * day,
  leafLifetimeMs: 30 * day,
};
const server = "10.0.0.3:6443";

const advance = (state: TrustBundleState | undefined, observed: Observations, now = start) =>
  advanceTrustBundle({ state, observed, now, options });
const begin = async () => (await advance(undefined, {})).state;

/** Everybody has seen and confirmed what is desired. */
function everybodyHas({ caBundle, serving, candidate }: Desired): Observations {
  return {
    configurations: { "shieldx-kinds": [caBundle, caBundle] },
    servers: [server],
    probes: { [server]: { "shieldx-kinds": (candidate ?? serving).fingerprint } },
    replicas: [
      {
        name: "a",
        servingLeaf: serving.fingerprint,
        ...(candidate && { candidateLeaf: candidate.fingerprint }),
      },
    ],
  };
}

describe("a new trust bundle", () => {
  it("is stable at once, with a leaf of its own authority", async () => {
    const { state, desired, changed, issued } = await advance(undefined, {});
    expect(state.phase).toBe("Stable");
    expect(isSignedBy(desired.serving, state.current)).toBe(true);
    expect(splitBundle(desired.caBundle)).toHaveLength(1);
    expect(changed).toBe(true);
    expect(issued).toEqual(["no certificates existed yet"]);
    const again = await advance(state, everybodyHas(desired));
    expect(again.changed).toBe(false);
    expect(again.waitingFor).toEqual([]);
    expect(again.requeueAfterMs).toBeGreaterThan(3_600_000);
  });

  it("does not obey a rotate annotation that was there before it", async () => {
    const { state } = await advance(undefined, { rotate: "ca:1" });
    expect((await advance(state, { rotate: "ca:1" })).state.phase).toBe("Stable");
    expect((await advance(state, { rotate: "ca:2" })).state.phase).toBe("Distribute");
  });
});

describe("rotation of the authority", () => {
  it("goes Distribute, Switch, Retire, Stable, one acknowledgement at a time", async () => {
    const first = await begin();
    const distribute = await advance(first, { rotate: "ca" });
    expect(distribute.state.phase).toBe("Distribute");
    expect(splitBundle(distribute.desired.caBundle)).toHaveLength(2);
    expect(distribute.desired.serving).toEqual(first.serving);
    const candidate = distribute.desired.candidate!;
    expect(distribute.waitingFor).toEqual([
      "the webhook configurations have not been read back yet",
      "the webhook replicas have not been observed yet",
      "no API server endpoint is known yet",
    ]);

    const complete = { ...everybodyHas(distribute.desired), rotate: "ca" };
    const stillMissing = async (observed: Observations) =>
      (await advance(distribute.state, { ...complete, ...observed })).waitingFor;
    expect(
      await stillMissing({ configurations: { "shieldx-kinds": [first.current.certificatePem] } }),
    ).toEqual(["webhook configuration shieldx-kinds does not yet carry the published CA bundle"]);
    expect(await stillMissing({ replicas: [] })).toEqual(["no webhook replica is running"]);
    expect(await stillMissing({ replicas: [...complete.replicas!, { name: "b" }] })).toEqual([
      "webhook replica b has not yet loaded the candidate leaf",
    ]);
    expect(await stillMissing({ servers: [server, "10.0.0.4:6443"] })).toEqual([
      "API server 10.0.0.4:6443 has not yet completed a handshake with the candidate leaf",
    ]);
    expect(
      await stillMissing({
        configurations: {
          ...complete.configurations,
          "shieldx-policies-fail": [distribute.desired.caBundle],
        },
      }),
    ).toEqual([
      "API server 10.0.0.3:6443 has not yet completed a handshake with the candidate leaf under shieldx-policies-fail",
    ]);

    const handover = await advance(distribute.state, complete);
    expect(handover.state.phase).toBe("Switch");
    expect(handover.desired.serving).toEqual(candidate);
    expect(sameBundle(handover.desired.caBundle, distribute.desired.caBundle)).toBe(true);
    expect((await advance(handover.state, complete)).waitingFor).toEqual([
      "webhook replica a does not yet serve the new leaf",
    ]);
    expect((await advance(handover.state, { ...complete, replicas: [] })).state.phase).toBe("Switch");

    const retire = await advance(handover.state, { ...everybodyHas(handover.desired), rotate: "ca" });
    expect(retire.state.phase).toBe("Retire");
    expect(splitBundle(retire.desired.caBundle)).toHaveLength(1);
    const end = await advance(retire.state, { ...everybodyHas(retire.desired), rotate: "ca" });
    expect(end.state.phase).toBe("Stable");
    expect(end.desired.serving).toEqual(candidate);
    expect(end.state.current.fingerprint).not.toBe(first.current.fingerprint);
    expect((await advance(end.state, { rotate: "ca" })).changed).toBe(false);
  });

  it("waits a stored time where API servers share one address, whatever the clock does meanwhile", async () => {
    const { state, desired } = await advance(await begin(), { rotate: "ca" });
    const observed = { ...everybodyHas(desired), rotate: "ca", handshakes: { waitMs: 60_000 } } as const;
    const confirmed = await advance(state, observed, start + 1000);
    expect(confirmed.state).toMatchObject({ phase: "Distribute", confirmedAtMs: start + 1000 });
    expect(confirmed.waitingFor[0]).toMatch(/waiting another 60 s/);
    const halfway = await advance(confirmed.state, observed, start + 31_000);
    expect(halfway.changed).toBe(false);
    const setBack = await advance(confirmed.state, observed, start - 40_000);
    expect(setBack.state).toMatchObject({ confirmedAtMs: start - 40_000 });
    const unpublished = await advance(confirmed.state, {
      ...observed,
      configurations: { "shieldx-kinds": [""] },
    });
    expect(unpublished.state).not.toHaveProperty("confirmedAtMs");
    expect((await advance(confirmed.state, observed, start + 61_000)).state.phase).toBe("Switch");
  });

  it("begins well ahead of the authority's end", async () => {
    const first = await begin();
    const due = renewalTime(first.current);
    expect(due).toBeLessThan(start + 730 * day * 0.68);
    expect(due).toBeGreaterThan(start + 730 * day * 0.6);
    expect((await advance(first, {}, due - 1)).state.phase).toBe("Stable");
    expect((await advance(first, {}, due)).state.phase).toBe("Distribute");
  });
});

describe("renewal of the leaf", () => {
  it("comes at two thirds of its life from the same authority, without touching the bundle", async () => {
    const first = await begin();
    const due = renewalTime(first.serving);
    expect((await advance(first, {}, due - 1)).changed).toBe(false);
    const renewed = await advance(first, everybodyHas((await advance(first, {})).desired), due);
    expect(renewed.state.phase).toBe("Stable");
    expect(renewed.desired.serving.fingerprint).not.toBe(first.serving.fingerprint);
    expect(isSignedBy(renewed.desired.serving, first.current)).toBe(true);
    expect(renewed.waitingFor).toEqual(["webhook replica a does not yet serve the new leaf"]);
  });

  it("comes when asked by annotation, once for each value, and when names change", async () => {
    const first = await begin();
    const asked = await advance(first, { rotate: "leaf:a" });
    expect(asked.desired.serving.fingerprint).not.toBe(first.serving.fingerprint);
    expect((await advance(asked.state, { rotate: "leaf:a" })).changed).toBe(false);
    const renamed = { ...options, dnsNames: ["other.svc"] };
    const moved = await advanceTrustBundle({ state: first, observed: {}, now: start, options: renamed });
    expect(moved.desired.serving.dnsNames).toEqual(["other.svc"]);
    expect(moved.issued[0]).toBe("the leaf does not name other.svc");
  });

  it("says so when the annotation means nothing", async () => {
    const { waitingFor } = await advance(await begin(), { rotate: "everything" });
    expect(waitingFor[0]).toMatch(/shieldx.io\/rotate is "everything"; expected "ca" or "leaf"/);
  });

  it("goes on while a rotation is stuck, so that waiting costs nothing", async () => {
    const { state } = await advance(await begin(), { rotate: "ca" });
    const later = await advance(state, { rotate: "ca" }, start + 25 * day);
    expect(later.state.phase).toBe("Distribute");
    expect(isSignedBy(later.desired.serving, state.current)).toBe(true);
    expect(later.desired.serving.notAfterMs).toBeGreaterThan(start + 50 * day);
    expect(later.desired.candidate!.fingerprint).not.toBe(
      state.phase === "Distribute" ? state.candidate.fingerprint : "",
    );
  });
});

describe("recovery", () => {
  it("replaces everything at once when the authority has expired", async () => {
    const first = await begin();
    const late = start + 731 * day;
    const { state, desired } = await advance(first, {}, late);
    expect(state.phase).toBe("Stable");
    expect(state.current.fingerprint).not.toBe(first.current.fingerprint);
    expect(desired.serving.notAfterMs).toBeGreaterThan(late);
  });

  it("switches at once when nobody can accept the old leaf any more", async () => {
    const { state } = await advance(await begin(), { rotate: "ca" });
    const keyless = {
      ...state,
      current: { ...state.current, privateKeyPem: undefined },
    } as unknown as TrustBundleState;
    expect((await advance(keyless, {}, start + 31 * day)).state.phase).toBe("Switch");
  });

  it("takes over what is published when its own state is lost, and rotates away from the lost key", async () => {
    const first = await begin();
    const { serving, current } = first;
    const found = { serving, caBundle: current.certificatePem };
    const taken = await advanceTrustBundle({ state: undefined, found, observed: {}, now: start, options });
    expect(taken.state.phase).toBe("Distribute");
    expect(taken.desired.serving).toEqual(serving);
    expect(taken.desired.caBundle).toContain(current.certificatePem);
    expect(readTrustBundle(storeTrustBundle(taken.state))).toEqual(taken.state);
    const foreign = (await begin()).current.certificatePem;
    const unrelated = await advanceTrustBundle({
      state: undefined,
      found: { serving, caBundle: foreign },
      observed: {},
      now: start,
      options,
    });
    expect(unrelated.state.phase).toBe("Stable");
  });

  it("gives up with a clear error when lifetimes make certificates due at birth", async () => {
    const impossible = { ...options, leafLifetimeMs: 1 };
    await expect(
      advanceTrustBundle({ state: undefined, observed: {}, now: start, options: impossible }),
    ).rejects.toBeInstanceOf(PkiError);
  });
});

describe("storage", () => {
  it("reads back every phase exactly as it was", async () => {
    let current = await advance(undefined, {});
    current = await advance(current.state, { rotate: "ca:7" });
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      expect(readTrustBundle(storeTrustBundle(current.state))).toEqual(current.state);
      seen.push(current.state.phase);
      current = await advance(current.state, { ...everybodyHas(current.desired), rotate: "ca:7" });
    }
    expect(seen).toEqual(["Distribute", "Switch", "Retire", "Stable"]);
  });

  it("gives replicas the leaves and never an authority's key", async () => {
    const { state, desired } = await advance(await begin(), { rotate: "ca" });
    const entries = tlsSecretEntries(desired);
    expect(Object.keys(entries).sort()).toEqual([
      "ca.crt",
      "candidate.crt",
      "candidate.key",
      "tls.crt",
      "tls.key",
    ]);
    expect(Object.values(entries)).not.toContain(state.current.privateKeyPem);
    expect(readTlsSecret(entries)).toEqual({ serving: desired.serving, candidate: desired.candidate });
    expect(
      readTlsSecret(tlsSecretEntries(trustBundleStep(await begin(), {}, start, options).desired)),
    ).toHaveProperty("serving");
  });

  it.each([
    ["nothing", () => ({})],
    ["no JSON", (entries: Record<string, string>) => ({ ...entries, "state.json": "{" })],
    ["a newer version", (entries: Record<string, string>) => ({ ...entries, "state.json": '{"version":2}' })],
    [
      "an unknown phase",
      (entries: Record<string, string>) => ({ ...entries, "state.json": '{"version":1,"phase":"X"}' }),
    ],
    ["a missing key", ({ "serving.key": _, ...entries }: Record<string, string>) => entries],
    [
      "another key",
      (entries: Record<string, string>) => ({ ...entries, "ca.key": entries["serving.key"] ?? "" }),
    ],
  ])("refuses %s", async (_, damage) => {
    const entries = damage(storeTrustBundle(await begin())) as Record<string, string>;
    expect(() => readTrustBundle(entries)).toThrowError(expect.objectContaining({ code: "state_invalid" }));
  });
});
