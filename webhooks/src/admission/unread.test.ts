import { parseShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type PolicySet } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { metric } from "../server/server.test-kit.ts";
import { AdmissionMetrics } from "./metrics.ts";
import { unreadByPolicies } from "./unread.ts";

const head: AdmissionRequest = {
  uid: "1",
  kind: { group: "", version: "v1", kind: "Pod" },
  resource: { group: "", version: "v1", resource: "pods" },
  name: "a",
  namespace: "default",
  operation: "CREATE",
  userInfo: { username: "alice" },
};
const policy = parseShieldPolicy({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: "p", uid: "p", generation: 1 },
  spec: {
    engine: "podSecurity",
    podSecurity: { level: "baseline" },
    failurePolicy: "Ignore",
    actions: { admission: "deny" },
  },
});
const context = { deadlineMs: 1_000, leaf: "", remoteAddress: "" };
const why = { code: "TooLarge", message: "the request is too much; make the object smaller" } as const;
const noRoom = { code: "NoRoom", message: "too many large requests at once; try again" } as const;

function setUp(set: PolicySet | undefined, brokenBy?: (name: string) => undefined | object) {
  const registry = new Registry();
  const metrics = new AdmissionMetrics(registry);
  metrics.keepPolicies(set?.policies ?? []);
  const lines: string[] = [];
  const log = (_: object, line: string) => void lines.push(line);
  const handler = unreadByPolicies({
    failurePolicy: "Ignore",
    policySet: () => set,
    findNamespace: async (name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }),
    metrics,
    brokenBy: brokenBy as Parameters<typeof unreadByPolicies>[0]["brokenBy"],
    logger: { debug: log, info: log, warn: log, error: log },
  });
  return { handler, registry, lines };
}
const set = buildPolicySet({ policies: [policy], exceptions: [], serverMinor: 37 });

describe("what is answered for a request that was not read", () => {
  it("says which policy it may concern, why, and that asking again helps or does not", async () => {
    const { handler, registry, lines } = setUp(set);
    const large = await handler(head, why, context);
    expect(large).toMatchObject({
      allowed: false,
      status: {
        code: 413,
        reason: "RequestEntityTooLarge",
        message: /ShieldPolicy "p" .*"default\/a": the request/,
      },
    });
    const crowded = await handler(head, noRoom, context);
    expect(crowded).toMatchObject({ allowed: false, status: { code: 503, message: /try again/ } });
    expect(await metric(registry, "shieldx_admission_decisions_total")).toMatchObject({ "p deny error": 2 });
    expect(lines).toHaveLength(2);
  });

  it("lets pass what concerns no policy", async () => {
    const { handler, lines } = setUp(set);
    const configMaps = { ...head, resource: { group: "", version: "v1", resource: "configmaps" } };
    expect(await handler(configMaps, why, context)).toEqual({ allowed: true });
    expect(lines).toEqual([]);
  });

  it("lets pass what a ShieldBreakGlass suspends the policy for", async () => {
    const glass = { name: "g", uid: "g", expiresAt: "2027-01-01T00:00:00Z" };
    expect(await setUp(set, () => glass).handler(head, why, context)).toMatchObject({ allowed: true });
  });

  it("refuses what is not even known to concern none, unless there is none", async () => {
    const { handler } = setUp(set);
    const answer = await handler(undefined, why, context);
    expect(answer).toMatchObject({
      allowed: false,
      status: { code: 413, message: /make the object smaller/ },
    });
    expect((await handler(undefined, noRoom, context)).status?.code).toBe(503);
    const none = buildPolicySet({ policies: [], exceptions: [], serverMinor: 37 });
    expect(await setUp(none).handler(undefined, why, context)).toEqual({ allowed: true });
    await expect(setUp(undefined).handler(undefined, why, context)).rejects.toThrow("no policy set");
  });
});
