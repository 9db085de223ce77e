import type { Client, KubeObject } from "@shieldx/controller-runtime";
import { ApiError } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";
import { printDiff, rolloutLines } from "./print.ts";
import { type RolloutSeen, readRollout, seenIn } from "./read.ts";
import { ask, type RolloutVerb } from "./request.ts";

const KEY = "shieldx.io/rollout";
const conflict = () =>
  new ApiError({ method: "PATCH", path: "/" } as never, 409, {
    reason: "Conflict",
    message: "changed",
  } as never);
const rollout = (over: object = {}) => ({
  digest: "d",
  generation: 1,
  stage: "Canary",
  step: "canary-10",
  percent: 10,
  turn: 3,
  since: "2026-01-01T00:00:00Z",
  ...over,
});
const policy = (status: object = {}, annotations: Record<string, string> = {}): KubeObject =>
  ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "p", resourceVersion: "1", annotations },
    spec: {
      engine: "podSecurity",
      podSecurity: { level: "baseline" },
      actions: { admission: "deny" },
      rollout: { shadow: { duration: "1h" } },
    },
    status: { rollout: status },
  }) as unknown as KubeObject;

type Body = { metadata: { annotations: Record<string, string | null>; resourceVersion?: string } };

/** A cluster whose operator answers after `answer` says so, at each look. */
function setUp(first: KubeObject, answer: (request: string | undefined) => object | undefined) {
  let object = first;
  let [version, now, looks] = [1, 0, 0];
  const written: (string | null)[] = [];
  const change = (status: object, annotations: Record<string, string>) => {
    version++;
    object = policy(status, annotations);
    object.metadata.resourceVersion = String(version);
  };
  const client = {
    get: async () => {
      looks++;
      const request = object.metadata.annotations?.[KEY];
      const status = answer(request);
      if (status !== undefined) change(status, object.metadata.annotations ?? {});
      return object;
    },
    patch: async (_type: unknown, _key: unknown, { metadata }: Body) => {
      if (metadata.resourceVersion !== object.metadata.resourceVersion) throw conflict();
      const value = metadata.annotations[KEY] ?? null;
      written.push(value);
      change((object.status as { rollout: object }).rollout, value === null ? {} : { [KEY]: value });
      return object;
    },
  } as unknown as Client;
  const run = (verb: RolloutVerb) =>
    ask({
      client,
      policy: "p",
      verb,
      timeoutMs: 10_000,
      pause: async () => {
        now += 1_000;
      },
      now: () => now,
    });
  return { run, written, looks: () => looks };
}
const answered = (request: string, accepted = true, over: object = {}) =>
  rollout({ ...over, answered: { request, accepted, message: accepted ? "done" : "no" } });

describe("ask", () => {
  it("names step and turn, and waits for what becomes of it", async () => {
    const { run, written } = setUp(policy(rollout()), (request) =>
      request === undefined ? undefined : answered(request, true, { step: "canary-50", turn: 4 }),
    );
    expect(await run("promote")).toMatchObject({ accepted: true, rollout: { step: "canary-50" } });
    expect(written).toEqual(["promote-from=canary-10@3"]);
  });

  it("is one request with another's of the same words", async () => {
    const { run, written } = setUp(policy(rollout(), { [KEY]: "promote-from=canary-10@3" }), (request) =>
      answered(request ?? ""),
    );
    await expect(run("promote")).resolves.toMatchObject({ accepted: true });
    expect(written.length).toBeLessThanOrEqual(2);
  });

  it("writes over nobody's request before that is answered", async () => {
    let looks = 0;
    const { run, written } = setUp(policy(rollout(), { [KEY]: "pause" }), (request) =>
      request === "pause" && looks++ < 3 ? undefined : answered(request ?? ""),
    );
    expect(await run("promote")).toMatchObject({ accepted: true });
    expect(looks).toBeGreaterThanOrEqual(3);
    expect(written).toEqual(["promote-from=canary-10@3"]);
  });

  it("asks again what was refused, and says that it is refused", async () => {
    const request = "promote-from=canary-10@3";
    const { run, written } = setUp(policy(answered(request, false), { [KEY]: request }), (asked) =>
      asked === undefined ? rollout() : answered(asked, false),
    );
    expect(await run("promote")).toMatchObject({ accepted: false, message: "no" });
    expect(written).toEqual([null, request]);
  });

  it("says in words that there is no such policy", async () => {
    const missing = new ApiError({ method: "GET", path: "/" } as never, 404, { reason: "NotFound" } as never);
    const client = { get: () => Promise.reject(missing) } as unknown as Client;
    await expect(readRollout(client, "q")).rejects.toMatchObject({
      code: "UnknownPolicy",
      message: 'there is no ShieldPolicy "q"',
    });
  });

  it("gives up in words where nobody answers", async () => {
    await expect(setUp(policy(rollout()), () => undefined).run("pause")).rejects.toMatchObject({
      code: "RolloutUnanswered",
      exitCode: 1,
      message: expect.stringContaining("within 10 s"),
    });
  });
});

describe("a rollout as it is shown", () => {
  const seen = (over: object = {}): RolloutSeen => seenIn(policy(rollout(over)));

  it("says where it acts, what it counts and why it was taken back", () => {
    const counts = { requests: 40, denied: 12, errors: 0, slow: 1, found: 12 };
    const found = { objects: [], namespaces: [{ name: "shop", denied: 12 }], moreNamespaces: 3 };
    const lines = rolloutLines(seen({ counts, found })).join("\n");
    expect(lines).toContain("acts in 10 % of namespaces; where it does not, nothing is in force");
    expect(lines).toContain("requests 40, refused 12, without a verdict 0, too slow 1");
    expect(lines).toContain("refusals so far 15");
    const rollback = {
      reason: "DenialRate",
      message: "12 of 40",
      from: "canary-10",
      at: "2026-01-01T01:00:00Z",
    };
    expect(rolloutLines(seen({ rollback })).join("\n")).toContain("DenialRate in step canary-10");
  });

  it("lists what was found, doing nothing to the terminal", () => {
    const found = {
      objects: [{ namespace: "shop", kind: "Pod", name: "web", message: "needs \u001b[31man owner" }],
      moreObjects: 7,
      namespaces: [{ name: "", denied: 2 }],
    };
    const terminal = recordingTerminal();
    printDiff(seen({ found }), terminal);
    expect(terminal.stdout).toMatch(
      /NAMESPACE +KIND +NAME +WHAT IS WRONG\nshop +Pod +web +needs �\[31man owner/,
    );
    expect(terminal.stdout).toContain("at least 7 more objects");
    const empty = recordingTerminal();
    printDiff(seen(), empty);
    expect(empty.stdout).toContain("Nothing so far");
  });

  it("is an error in words where there is none", () => {
    const without = policy(rollout());
    (without.spec as { rollout?: unknown }).rollout = undefined;
    expect(() => seenIn(without)).toThrow("has no spec.rollout");
    const early = policy();
    (early as { status?: unknown }).status = {};
    expect(() => seenIn(early)).toThrow("has not begun");
  });
});
