import type { ShieldPolicy } from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decideStatus,
  enforcerOf,
  type NativeState,
  type StatusObservation,
  type WebhookState,
} from "./decide.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
type Spec = ShieldPolicy["spec"];

const podSecurity = (over: Partial<Spec> = {}): Spec => ({
  engine: "podSecurity",
  podSecurity: { level: "restricted", version: "latest" },
  actions: { admission: "deny" },
  evaluation: "Auto",
  ...over,
});
const cel = (over: Partial<Spec> = {}): Spec => ({
  engine: "cel",
  matchConstraints: {
    matchPolicy: "Equivalent",
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"], scope: "*" },
    ],
  },
  validations: [{ expression: "true" }],
  actions: { admission: "deny" },
  evaluation: "Auto",
  ...over,
});
const server = { serverMinor: 37, servesMutatingPolicies: false };
const allWell: WebhookState = {
  replicas: 2,
  loaded: 2,
  isPublished: true,
  hasCertificate: true,
  cannotJudge: undefined,
  obstruction: undefined,
};
const installed: NativeState = { refusal: undefined, isInstalled: true, typeWarnings: [] };

function observation(spec: Spec, over: Partial<StatusObservation> = {}): StatusObservation {
  return {
    policy: { spec, metadata: { generation: 3 } },
    problem: undefined,
    enforcer: enforcerOf(spec, server),
    native: spec.engine === "cel" ? installed : undefined,
    webhook: allWell,
    digest: "d",
    podSecurityVersion: undefined,
    exceptions: { active: 0, expired: 0 },
    handingOver: undefined,
    audit: undefined,
    reports: undefined,
    previousConditions: undefined,
    ...over,
  };
}
const summary = (observed: StatusObservation) =>
  Object.fromEntries(
    (decideStatus(observed, T0).conditions ?? []).map(({ type, status, reason }) => [
      type,
      `${status} ${reason}`,
    ]),
  );

describe("enforcerOf", () => {
  it("names exactly one", () => {
    expect(enforcerOf(podSecurity(), server).by).toBe("Webhook");
    expect(enforcerOf(cel(), server).by).toBe("Native");
    expect(enforcerOf(podSecurity({ actions: { admission: "off" } }), server).by).toBe("None");
  });

  it("takes the webhook for what calls a function that the server lacks, and says which", () => {
    const sorting = (over: object = {}) =>
      cel({
        validations: [{ expression: "true" }, { expression: "[2, 1].sort() == [1, 2]" }],
        ...over,
      } as Partial<Spec>);
    const on = (spec: Spec, serverMinor: number) => enforcerOf(spec, { ...server, serverMinor });
    expect(on(sorting(), 34)).toEqual({
      by: "Webhook",
      reason:
        "spec.validations[1].expression calls sort, which came with Kubernetes 1.34 and which API servers take in policies from 1.35 on; this one is 1.34: ShieldX evaluates the expressions",
    });
    expect(on(sorting(), 35).by).toBe("Native");
    expect(on(cel(), 34).by).toBe("Native");
    // What is demanded, and what the webhook takes no part in, is told by what is not rendered.
    expect(on(sorting({ evaluation: "Native" }), 34).by).toBe("Native");
    const resourceRules = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }];
    expect(on(sorting({ matchConstraints: { resourceRules } }), 34).by).toBe("Native");
    const many = Array.from({ length: 1_001 }, (_, at) => `r${at}`);
    const named = [{ apiGroups: ["x.io"], apiVersions: ["v1"], operations: ["CREATE"], resources: many }];
    expect(on(sorting({ matchConstraints: { resourceRules: named } }), 34).by).toBe("Native");
  });
});

describe("decideStatus", () => {
  it("is ready when all replicas hold the policy and calls are published", () => {
    expect(summary(observation(podSecurity()))).toEqual({
      Ready: "True InForce",
      Compiled: "True Compiled",
      TestsPassed: "True NoTests",
      Enforced: "True Loaded",
      Degraded: "False AsWritten",
    });
    expect(decideStatus(observation(podSecurity()), T0)).toMatchObject({
      enforcedBy: "Webhook",
      loadedBy: "2/2",
    });
  });

  it.each<[Partial<WebhookState>, string]>([
    [{ isPublished: false, hasCertificate: false, loaded: 0 }, "False WaitingForCertificate"],
    [{ isPublished: false, loaded: 0 }, "False WaitingForReplica"],
    [{ isPublished: false }, "False Publishing"],
    [{ replicas: 0, loaded: 0 }, "False NoReplica"],
    [{ loaded: 0 }, "False Loading"],
    [{ loaded: 1 }, "True PartlyLoaded"],
  ])("says what the webhook waits for: %j", (webhook, enforced) => {
    const conditions = summary(observation(podSecurity(), { webhook: { ...allWell, ...webhook } }));
    expect(conditions.Enforced).toBe(enforced);
    expect(conditions.Ready).toMatch(/^False/);
  });

  it("is not ready while API servers still read what is stored", () => {
    const native = { ...installed, isBeingTakenIn: true };
    const fresh = summary(observation(cel(), { native }));
    expect(fresh).toMatchObject({ Ready: "False TakingIn", Enforced: "False TakingIn" });
    const previousConditions = decideStatus(observation(cel()), T0).conditions;
    const changed = summary(observation(cel(), { native, previousConditions }));
    expect(changed).toMatchObject({
      Ready: "False TakingIn",
      Enforced: "True TakingIn",
      Degraded: "True TakingIn",
    });
  });

  it("is ready when the API server holds the rendered policy, type-check warnings or not", () => {
    expect(summary(observation(cel()))).toMatchObject({
      Ready: "True InForce",
      Enforced: "True AdmissionPolicyInstalled",
    });
    const warned = {
      ...installed,
      typeWarnings: [{ fieldRef: "spec.validations[0].expression", warning: "no\n such key" }],
    };
    const observed = observation(cel(), { native: warned });
    expect(summary(observed)).toMatchObject({ Ready: "True InForce", Degraded: "True TypeCheckWarnings" });
    const degraded = decideStatus(observed, T0).conditions?.find(({ type }) => type === "Degraded");
    expect(degraded?.message).toBe("spec.validations[0].expression: no such key");
    expect(decideStatus(observed, T0).loadedBy).toBeUndefined();
  });

  it("says what keeps the webhook from being kept up, and that reports are not written", () => {
    const obstruction = { reason: "QuotaExceeded", message: "cannot apply secrets" };
    const spec = podSecurity();
    const served = observation(spec, { webhook: { ...allWell, obstruction } });
    expect(summary(served)).toMatchObject({
      Ready: "False QuotaExceeded",
      Enforced: "True Loaded",
      Degraded: "True QuotaExceeded",
    });
    const unpublished = observation(spec, { webhook: { ...allWell, isPublished: false, obstruction } });
    expect(summary(unpublished)).toMatchObject({ Enforced: "False QuotaExceeded" });
    const reports = { reason: "MissingRights", message: "cannot apply reports" };
    expect(summary(observation(spec, { reports }))).toMatchObject({
      Ready: "True InForce",
      Degraded: "True ReportsNotWritten",
    });
  });

  it("tells a refusal by the API server, and whether an older version is in force", () => {
    const refusal = { reason: "RefusedByServer", message: "compilation failed at 1:5" };
    const never = observation(cel(), { native: { ...installed, refusal, isInstalled: false } });
    expect(summary(never)).toMatchObject({ Ready: "False RefusedByServer", Degraded: "False AsWritten" });
    const older = observation(cel(), { native: { ...installed, refusal } });
    expect(summary(older)).toMatchObject({
      Ready: "False RefusedByServer",
      Enforced: "True OlderVersion",
      Degraded: "True RefusedByServer",
    });
  });

  it("tells a policy that does not compile", () => {
    const problem = { code: "NotYetSupported", path: "spec.rollout", message: "is not yet supported" };
    const observed = observation(podSecurity(), { problem, webhook: { ...allWell, loaded: 0 } });
    expect(summary(observed)).toMatchObject({
      Ready: "False NotYetSupported",
      Compiled: "False NotYetSupported",
      Enforced: "False NotCompiled",
    });
    expect(decideStatus(observed, T0).enforcedBy).toBe("None");
  });

  it("tells of one that is being compiled what replicas hold meanwhile", () => {
    const problem = { code: "Compiling", path: "spec.rego.module", message: "is being compiled" } as const;
    const ahead = observation(podSecurity(), {
      problem: { ...problem, meanwhile: "newest" },
      webhook: allWell,
    });
    expect(summary(ahead)).toMatchObject({
      Ready: "False Compiling",
      Compiled: "False Compiling",
      Enforced: "True Loaded",
      Degraded: "False AsWritten",
    });
    expect(decideStatus(ahead, T0)).toMatchObject({ enforcedBy: "Webhook", loadedBy: "2/2" });
    const older = observation(podSecurity(), {
      problem: { ...problem, meanwhile: "older" },
      webhook: allWell,
    });
    expect(summary(older)).toMatchObject({ Ready: "False Compiling", Enforced: "True OlderVersion" });
    const unpublished = { ...allWell, loaded: 0, isPublished: false };
    const created = observation(podSecurity(), {
      problem: { ...problem, meanwhile: "newest" },
      webhook: unpublished,
    });
    expect(summary(created)).toMatchObject({ Ready: "False Compiling", Enforced: "False WaitingForReplica" });
    expect(decideStatus(created, T0).enforcedBy).toBe("None");
  });

  it("tells what came of a policy's tests", () => {
    const object = { apiVersion: "v1", kind: "Pod" };
    const tests = [{ name: "a", operation: "CREATE", object, expect: { decision: "allow" } }] as const;
    const spec = cel({ tests: [...tests] });
    expect(summary(observation(spec))).toMatchObject({
      Ready: "True InForce",
      TestsPassed: "True TestsPassed",
    });
    const problem = { code: "TestsFailed", path: "spec.tests[0]", message: 'case "a": expected it' };
    const nothing = { ...installed, isInstalled: false };
    const idle = { ...allWell, loaded: 0, isPublished: false };
    const never = observation(spec, { problem, native: nothing, webhook: idle });
    expect(summary(never)).toEqual({
      Ready: "False TestsFailed",
      Compiled: "True Compiled",
      TestsPassed: "False TestsFailed",
      Enforced: "False TestsNotPassed",
      Degraded: "False AsWritten",
    });
    expect(summary(observation(spec, { problem }))).toMatchObject({
      TestsPassed: "False TestsFailed",
      Enforced: "True OlderVersion",
      Degraded: "True OlderVersion",
    });
    const broken = { code: "Invalid", path: "spec.validations[0].expression", message: "no CEL" };
    expect(summary(observation(spec, { problem: broken }))).toMatchObject({
      Compiled: "False Invalid",
      TestsPassed: "False TestsNotRun",
    });
  });

  it("tells that replicas hold an older version of one that no longer compiles", () => {
    const problem = { code: "Invalid", path: "spec.podSecurity.version", message: "v1.99 is not known" };
    const observed = observation(podSecurity(), { problem, webhook: { ...allWell, loaded: 1 } });
    expect(summary(observed)).toMatchObject({
      Ready: "False Invalid",
      Enforced: "True OlderVersion",
      Degraded: "True OlderVersion",
    });
    expect(decideStatus(observed, T0)).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/2" });
    const gone = observation(podSecurity(), { problem, webhook: { ...allWell, loaded: 0, replicas: 0 } });
    expect(summary(gone)).toMatchObject({ Enforced: "False NoReplica" });
    expect(decideStatus(gone, T0).enforcedBy).toBe("None");
    const unreached = observation(podSecurity(), { problem, webhook: { ...allWell, isPublished: false } });
    expect(decideStatus(unreached, T0).enforcedBy).toBe("None");
  });

  it("calls a policy that is off ready, and enforced by nobody", () => {
    const observed = observation(podSecurity({ actions: { admission: "off" } }));
    expect(summary(observed)).toMatchObject({ Ready: "True ActionOff", Enforced: "False ActionOff" });
    expect(decideStatus(observed, T0).enforcedBy).toBe("None");
  });

  const anySpec = fc.constantFrom(podSecurity(), cel(), podSecurity({ actions: { admission: "off" } }));
  const anyObservation = fc
    .record({
      spec: anySpec,
      problem: fc.constantFrom(undefined, { code: "Invalid", path: "spec", message: "broken" }),
      replicas: fc.nat({ max: 3 }),
      loaded: fc.nat({ max: 3 }),
      isPublished: fc.boolean(),
      hasCertificate: fc.boolean(),
      refusal: fc.constantFrom(undefined, { reason: "ObjectTooLarge", message: "refused" }),
      isInstalled: fc.boolean(),
    })
    .map(({ spec, problem, replicas, loaded, isPublished, hasCertificate, refusal, isInstalled }) =>
      observation(spec, {
        problem,
        webhook: { ...allWell, replicas, loaded: Math.min(loaded, replicas), isPublished, hasCertificate },
        native: spec.engine === "cel" ? { refusal, isInstalled, typeWarnings: [] } : undefined,
      }),
    );

  it("never calls a policy ready that is not in force everywhere as written", () => {
    fc.assert(
      fc.property(anyObservation, (observed) => {
        const ready = summary(observed).Ready?.startsWith("True");
        const { by } = observed.enforcer;
        const isWebhookWell =
          observed.webhook.isPublished &&
          observed.webhook.loaded > 0 &&
          observed.webhook.loaded === observed.webhook.replicas;
        const isNativeWell = observed.native?.isInstalled === true && observed.native.refusal === undefined;
        const expected =
          observed.problem === undefined &&
          (by === "None" || (by === "Webhook" ? isWebhookWell : isNativeWell));
        expect(ready).toBe(expected);
      }),
    );
  });

  it("is the same again an hour later: nothing is written while nothing changes", () => {
    fc.assert(
      fc.property(anyObservation, (observed) => {
        const first = decideStatus(observed, T0);
        const second = decideStatus({ ...observed, previousConditions: first.conditions }, T0 + 3_600_000);
        expect(second).toEqual(first);
      }),
    );
  });

  it("moves lastTransitionTime with the status and with nothing else", () => {
    fc.assert(
      fc.property(anyObservation, anyObservation, (before, after) => {
        const first = decideStatus(before, T0).conditions ?? [];
        const second = decideStatus({ ...after, previousConditions: first }, T0 + 60_000).conditions ?? [];
        for (const [index, condition] of second.entries()) {
          const hasTurned = first[index]?.status !== condition.status;
          expect(condition.lastTransitionTime).toBe(
            hasTurned ? "2026-01-01T00:01:00Z" : "2026-01-01T00:00:00Z",
          );
        }
      }),
    );
  });
});

it("says who is to follow while the former enforcer still acts, so that the webhook can be made ready", () => {
  const handingOver = { to: "Webhook", reason: "HandingOver", message: "handing over: not yet" } as const;
  const enforcer = { by: "Native", reason: handingOver.message } as const;
  expect(decideStatus(observation(cel(), { handingOver, enforcer }), T0)).toMatchObject({
    enforcedBy: "Native",
    handingOverTo: "Webhook",
  });
  expect(decideStatus(observation(cel()), T0)).not.toHaveProperty("handingOverTo");
});
