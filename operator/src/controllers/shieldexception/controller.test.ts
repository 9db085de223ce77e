import type { ReconcileContext } from "@shieldx/controller-runtime";
import type { ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet } from "@shieldx/policy-engine";
import { expect, it } from "vitest";
import type { OperatorContext } from "../../context.ts";
import { ExceptionUses } from "../../exception-uses.ts";
import { asException, type ShieldExceptionObject, ShieldExceptionType } from "../../kinds.ts";
import { shieldExceptionController } from "./controller.ts";

const now = Date.parse("2026-11-05T00:00:00Z");
const policy = {
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: "p", uid: "pu", generation: 1 },
  spec: {
    engine: "rego",
    rego: { module: "package p" },
    actions: { admission: "deny", background: "audit" },
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
    },
    exceptions: { namespaces: { names: ["n"] }, maxDuration: "720h" },
  },
} as unknown as ShieldPolicy;

const status = {
  observedGeneration: 1,
  conditions: ["Ready", "Expired", "Unused"].map((type) => ({
    type,
    status: type === "Ready" ? "True" : "False",
    reason: { Ready: "Active", Expired: "NotExpired", Unused: "Needed" }[type] ?? "",
    message:
      { Ready: "honoured until 2026-11-21T00:00:00Z", Expired: "ends at 2026-11-21T00:00:00Z" }[type] ??
      "5 existing objects need it now",
    lastTransitionTime: "2026-11-01T00:00:00Z",
    observedGeneration: 1,
  })),
  policies: [{ name: "p", honoured: true }],
  usage: { objects: 5, count: 7, lastUsed: "2026-11-01T00:00:00Z" },
};

it("says the same after a start as before while a policy in Rego is being compiled", async () => {
  const exception = {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: {
      name: "e",
      namespace: "n",
      uid: "u",
      generation: 1,
      creationTimestamp: "2026-11-01T00:00:00Z",
    },
    spec: {
      policies: ["p"],
      owner: "team",
      reason: "because of reasons",
      expiresAt: "2026-11-21T00:00:00Z",
      match: { names: ["a"] },
    },
    status,
  } as unknown as ShieldExceptionObject;
  const set = buildPolicySet({
    policies: [policy],
    exceptions: [asException(exception)],
    serverMinor: 34,
    rego: () => ({ kind: "compiling" }),
  });
  expect(set.problems.map(({ error }) => error.code)).toEqual(["Compiling"]);
  const clock = { now: () => now, monotonicNow: () => 0 };
  const exceptionUses = new ExceptionUses({ clock, isKnown: () => true });
  exceptionUses.lead(true);
  exceptionUses.audited(new Map(), []);
  const operator = {
    world: {
      current: () => set,
      enforcers: () => new Map([["p", "Webhook"]]),
      isLeftOut: () => false,
      exceptions: () => [exception],
      exceptionsOf: () => [exception],
    },
    obstacles: { get: () => undefined, clear: () => undefined },
    exceptionUses,
    unusedAfterMs: 7 * 86_400_000,
    clock,
  } as unknown as OperatorContext;
  const writes: unknown[] = [];
  const context = {
    get: (type: unknown) => (type === ShieldExceptionType ? exception : undefined),
    client: { apply: async (_: unknown, body: unknown) => void writes.push(body) },
    events: { event: (_: unknown, event: unknown) => void writes.push(event) },
  } as unknown as ReconcileContext;
  await shieldExceptionController(operator).reconcile({ name: "e", namespace: "n" }, context);
  expect(writes).toEqual([]);
});
