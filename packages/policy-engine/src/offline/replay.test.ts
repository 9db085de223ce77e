import { describe, expect, it } from "vitest";
import { celPolicy, newYear } from "../../testing/objects.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { replayRequests } from "./replay.ts";

const request = (labels?: Record<string, string>, namespace = "shop"): AdmissionRequestLike => ({
  uid: "1",
  kind: { group: "", version: "v1", kind: "ConfigMap" },
  resource: { group: "", version: "v1", resource: "configmaps" },
  name: "a",
  namespace,
  operation: "CREATE",
  userInfo: { username: "ann" },
  object: {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", namespace, ...(labels && { labels }) },
  },
});
const side = (...policies: ReturnType<typeof celPolicy>[]) => ({
  policies,
  exceptions: [],
  known: [] as unknown[],
});
const owned = (name = "owned", more: object = {}) => celPolicy(name, more);
const replay = (
  old: ReturnType<typeof side>,
  now: ReturnType<typeof side>,
  ...requests: AdmissionRequestLike[]
) => replayRequests({ requests, old, new: now, serverMinor: 37, now: newYear });
const changes = (report: ReturnType<typeof replay>) => report.requests.map(({ change }) => change);

describe("a replay", () => {
  const free = side(owned("free", { validations: [{ expression: "true" }] }));

  it("tells what is refused that passed, what passes that was refused, and what stays", () => {
    expect(changes(replay(free, side(owned()), request(), request({ owner: "me" })))).toEqual([
      "denied",
      "none",
    ]);
    expect(changes(replay(side(owned()), free, request()))).toEqual(["allowed"]);
  });

  it("tells other words, and no other name of a policy", () => {
    const other = [{ expression: "has(object.metadata.labels)", message: "another" }];
    expect(changes(replay(side(owned()), side(owned("owned", { validations: other })), request()))).toEqual([
      "message",
    ]);
    expect(changes(replay(side(owned()), side(owned("renamed")), request()))).toEqual(["none"]);
    const warns = side(owned("owned", { actions: { admission: "warn" } }));
    expect(changes(replay(free, warns, request()))).toEqual(["message"]);
  });

  it("judges each side with what it knows", () => {
    const chosen = owned("owned", {
      matchConstraints: {
        ...owned().spec.matchConstraints,
        namespaceSelector: { matchLabels: { tier: "prod" } },
      },
    });
    const namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "shop", labels: { tier: "prod" } },
    };
    expect(changes(replay(side(chosen), { ...side(chosen), known: [namespace] }, request()))).toEqual([
      "denied",
    ]);
  });

  it("names policies that only a cluster can ask, and those that do not compile", () => {
    const asks = owned("asks", {
      validations: [{ expression: "authorizer.path('/x').check('get').allowed()" }],
    });
    const [asked] = replay(free, side(asks), request()).requests;
    expect(asked?.new).toMatchObject({ isAllowed: true, untold: ["asks"] });
    const broken = owned("broken", { validations: [{ expression: "object.x =" }] });
    expect(replay(free, side(broken), request()).problems).toMatchObject({
      old: [],
      new: [{ name: "broken" }],
    });
  });
});
