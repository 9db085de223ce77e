import { describe, expect, it } from "vitest";
import { bundleOf, type Files, signed } from "../bundle/bundle.test-kit.ts";
import { bundleVerifier } from "../bundle/verifier.ts";
import { BundleFetchError } from "./errors.ts";
import type { BundleStore, KeptBundle } from "./kept.ts";
import type { BundleAnswer, BundleRequest } from "./request.ts";
import { nextDelayMs } from "./schedule.ts";
import { BundleSource, type BundleSourceOptions, type BundleStatus } from "./source.ts";

type Step = BundleAnswer | Error | ((request: BundleRequest) => BundleAnswer);

const unchanged: BundleAnswer = { kind: "unchanged" };

function answer(files: Files, etag?: string, isLongPoll = false): BundleAnswer {
  return { kind: "bundle", bytes: bundleOf(files), etag, isLongPoll };
}

const revision = (name: string, data: object = {}): Files => ({
  ".manifest": { revision: name },
  "data.json": data,
});
const delta = (name: string, ...data: object[]): Files => ({
  ".manifest": { revision: name },
  "patch.json": { data },
});

interface Log {
  readonly requests: Pick<BundleRequest, "etag" | "acceptsDelta" | "waitSeconds">[];
  readonly statuses: BundleStatus[];
  readonly delays: number[];
  readonly revisions: string[];
  readonly source: BundleSource;
}

/** Runs a source until its server has no more answers; a fake clock moves by what the source sleeps. */
async function play(steps: readonly Step[], options: Partial<BundleSourceOptions> = {}): Promise<Log> {
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  let now = Date.UTC(2026, 0, 1);
  let at = 0;
  const log: Omit<Log, "source"> = { requests: [], statuses: [], delays: [], revisions: [] };
  const source = new BundleSource({
    url: "https://bundles.test/shop.tar.gz?sig=secret",
    fetch: async (request) => {
      const step = steps[at];
      at += 1;
      if (step === undefined) {
        end();
        return await new Promise((_resolve, reject) => {
          request.signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      }
      const { etag, acceptsDelta, waitSeconds } = request;
      log.requests.push({ etag, acceptsDelta, waitSeconds });
      if (step instanceof Error) throw step;
      return typeof step === "function" ? step(request) : step;
    },
    now: () => now,
    random: () => 0.5,
    sleep: async (ms) => {
      log.delays.push(ms);
      log.statuses.push(source.status);
      now += ms;
    },
    onChange: ({ manifest }) => {
      log.revisions.push(manifest.revision);
    },
    ...options,
  });
  source.start();
  await isOver;
  await source.stop();
  return { ...log, source };
}

const refused = new BundleFetchError("REFUSED_BY_SERVER", "https://bundles.test answers 500");

describe("a bundle source", () => {
  it("takes each new bundle into use and asks with the ETag of the one in use", async () => {
    const { requests, revisions, source, statuses } = await play([
      answer(revision("1"), '"a"'),
      unchanged,
      answer(revision("2"), '"b"'),
      unchanged,
    ]);
    expect(revisions).toEqual(["1", "2"]);
    expect(requests.map(({ etag }) => etag)).toEqual([undefined, '"a"', '"a"', '"b"']);
    expect(source.current?.manifest.revision).toBe("2");
    expect(statuses.at(-1)).toMatchObject({
      revision: "2",
      etag: '"b"',
      problem: undefined,
      url: "https://bundles.test/shop.tar.gz",
    });
  });

  it("keeps the last good bundle, says why, and forgets it once the server is back to it", async () => {
    const { revisions, statuses, source, requests } = await play([
      answer(revision("1"), '"a"'),
      answer({ "data.json": "{" }, '"b"'),
      { kind: "bundle", bytes: Buffer.from("<html>"), etag: '"c"', isLongPoll: false },
      refused,
      unchanged,
    ]);
    expect(revisions).toEqual(["1"]);
    expect(source.current?.manifest.revision).toBe("1");
    expect(statuses.map(({ problem }) => problem?.code)).toEqual([
      undefined,
      "INVALID_FILE",
      "INVALID_ARCHIVE",
      "REFUSED_BY_SERVER",
      undefined,
    ]);
    expect(requests.at(-1)?.etag).toBe('"a"');
  });

  it("waits longer after each failure, never longer than the longest delay, and starts over after a success", async () => {
    const { delays } = await play([...Array<Step>(9).fill(refused), answer(revision("1")), refused]);
    expect(delays).toEqual([750, 1_500, 3_000, 6_000, 12_000, 24_000, 48_000, 90_000, 90_000, 90_000, 750]);
  });

  it("does not use a bundle that its user refuses", async () => {
    const { source, statuses } = await play([answer(revision("1"), '"a"'), answer(revision("2"), '"b"')], {
      onChange: ({ manifest }) => {
        if (manifest.revision === "2") throw new Error("rule deny does not compile");
      },
    });
    expect(source.current?.manifest.revision).toBe("1");
    expect(statuses.at(-1)?.problem).toMatchObject({
      code: "NOT_ACTIVATED",
      message: "the bundle was fetched but is not used: rule deny does not compile",
    });
    expect(statuses.at(-1)?.etag).toBe('"a"');
  });

  it("applies deltas, and asks for a whole bundle where one does not fit", async () => {
    const { source, requests, revisions, statuses } = await play([
      answer(revision("1", { list: [1] }), '"a"'),
      answer(delta("2", { op: "upsert", path: "/list/-", value: 2 }), '"b"'),
      answer(delta("3", { op: "remove", path: "/gone" }), '"c"'),
      answer(revision("4", { list: [] }), '"d"'),
      unchanged,
    ]);
    expect(revisions).toEqual(["1", "2", "4"]);
    expect(requests.map(({ etag, acceptsDelta }) => [etag, acceptsDelta])).toEqual([
      [undefined, false],
      ['"a"', true],
      ['"b"', true],
      [undefined, false],
      ['"d"', true],
    ]);
    expect(statuses[2]?.problem?.code).toBe("INVALID_PATCH");
    expect(source.current?.data).toEqual({ list: [] });
  });

  it("lets the server wait for news where it says it does, and only then", async () => {
    const polling = { minDelayMs: 10_000, maxDelayMs: 20_000, longPollSeconds: 30 };
    const { requests, delays } = await play(
      [answer(revision("1"), '"a"', true), unchanged, answer(revision("2"), '"b"', false), unchanged],
      { polling },
    );
    expect(requests.map(({ waitSeconds }) => waitSeconds)).toEqual([undefined, 30, 30, undefined]);
    // It answered at once, so it is not asked in a loop.
    expect(delays).toEqual([1_000, 1_000, 15_000, 15_000]);
  });

  it("asks again at once after a server has waited", () => {
    const polling = { minDelayMs: 10_000, maxDelayMs: 20_000, longPollSeconds: 30 };
    expect(nextDelayMs(polling, { failures: 0, isLongPoll: true, answerMs: 29_000 }, 0.5)).toBe(0);
  });

  it("calls an answer without a bundle before it what it is", async () => {
    const { statuses } = await play([unchanged]);
    expect(statuses[0]?.problem?.message).toContain("nothing was fetched before");
  });

  it("says when there are no credentials, and asks once there are", async () => {
    let given = 0;
    const credentials = async () => {
      given += 1;
      return given === 1 ? await Promise.reject(new Error("Secret bundle-token has no key token")) : {};
    };
    const { statuses, revisions } = await play([answer(revision("1"))], { credentials });
    expect(statuses[0]?.problem).toMatchObject({
      code: "NO_CREDENTIALS",
      message: "there are no credentials for the bundle's server: Secret bundle-token has no key token",
    });
    expect(revisions).toEqual(["1"]);
  });

  it.each([
    ["http://bundles.test/x", "only https:// is fetched"],
    ["https://user:pass@bundles.test/x", "has a user or password in it"],
    ["bundles", "is no URL"],
  ])("is not made of %s", (url, message) => {
    expect(() => new BundleSource({ url })).toThrow(message);
  });

  it.each([
    [{ minDelayMs: 1, maxDelayMs: 2 }, "minDelayMs"],
    [{ minDelayMs: 2_000, maxDelayMs: 1_000 }, "maxDelayMs"],
    [{ minDelayMs: 2_000, maxDelayMs: 2_000, longPollSeconds: 0.5 }, "longPollSeconds"],
  ])("is not made of polling %j", (polling, field) => {
    expect(() => new BundleSource({ url: "https://bundles.test/x", polling })).toThrow(field);
  });
});

describe("a source that verifies", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const verifier = bundleVerifier({ keys: { main: { key: secret, algorithm: "HS256" } } });
  const good = signed(revision("1"), { secret, claims: { exp: Date.UTC(2026, 0, 2) / 1_000 } });

  it("uses signed bundles only and asks for no deltas", async () => {
    const { revisions, requests, statuses } = await play(
      [answer(good, '"a"'), answer(revision("2"), '"b"'), answer(delta("3", { op: "remove", path: "a" }))],
      { verifier },
    );
    expect(revisions).toEqual(["1"]);
    expect(requests.every(({ acceptsDelta }) => !acceptsDelta)).toBe(true);
    expect(statuses.slice(1).map(({ problem }) => problem?.code)).toEqual(["UNSIGNED", "UNSIGNED"]);
  });

  const keeping = (kept: KeptBundle | undefined): BundleStore & { saved: KeptBundle[] } => {
    const saved: KeptBundle[] = [];
    return {
      saved,
      load: async () => kept,
      save: async (bundle) => {
        saved.push(bundle);
      },
    };
  };

  it("starts with the bundle on disk, without its server", async () => {
    const store = keeping({ bytes: bundleOf(good), etag: '"a"' });
    const { revisions, statuses, requests } = await play([refused, unchanged], { verifier, store });
    expect(revisions).toEqual(["1"]);
    expect(statuses[0]).toMatchObject({ isFromDisk: true, revision: "1" });
    expect(statuses[0]?.problem?.code).toBe("REFUSED_BY_SERVER");
    expect(statuses[1]).toMatchObject({ isFromDisk: false, problem: undefined });
    expect(requests[0]?.etag).toBe('"a"');
    expect(store.saved).toEqual([]);
  });

  it.each<[string, Files]>([
    ["unsigned", revision("1")],
    ["expired", signed(revision("1"), { secret, claims: { exp: 1 } })],
  ])("verifies what is on disk like anything else: %s", async (_what, files) => {
    const store = keeping({ bytes: bundleOf(files), etag: '"a"' });
    const { revisions, requests, source } = await play([refused], { verifier, store });
    expect(revisions).toEqual([]);
    expect(requests[0]?.etag).toBeUndefined();
    expect(source.current).toBeUndefined();
  });

  it("keeps each good bundle, and tries again where that fails", async () => {
    const store = keeping(undefined);
    const { save } = store;
    let attempts = 0;
    const failing: BundleStore = {
      ...store,
      save: async (bundle) => {
        attempts += 1;
        if (attempts < 3) throw new Error("no space left");
        await save(bundle);
      },
    };
    const { statuses, requests } = await play([answer(good, '"a"'), unchanged, unchanged, unchanged], {
      verifier,
      store: failing,
    });
    expect(statuses.map(({ problem }) => problem?.code)).toEqual([
      "NOT_KEPT",
      "NOT_KEPT",
      undefined,
      undefined,
    ]);
    expect(statuses[0]?.revision).toBe("1");
    expect(store.saved.map(({ etag }) => etag)).toEqual(['"a"']);
    expect(requests.every(({ acceptsDelta }) => !acceptsDelta)).toBe(true);
  });
});
