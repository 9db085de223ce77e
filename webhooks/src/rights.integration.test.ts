import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RbacRule, webhooksRbac } from "./rbac.ts";
import { namespace, startTestBed, type TestBed, untilReady, waitFor } from "./webhook-process.test-kit.ts";

const name = "shieldx-webhooks";
const roles = {
  ClusterRole: { metadata: { name }, rules: webhooksRbac.cluster },
  Role: { metadata: { name, namespace }, rules: webhooksRbac.namespace },
};

describe("a webhook replica whose rights are incomplete", () => {
  let bed: TestBed;

  const grant = (kind: keyof typeof roles, change: (rule: RbacRule) => RbacRule = (rule) => rule) => {
    const { metadata, rules } = roles[kind];
    return bed.apply({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind,
      metadata,
      rules: rules.map(change),
    });
  };
  const lacking = (verb: string, resource: string) => (rule: RbacRule) =>
    rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((v) => v !== verb) } : rule;

  beforeAll(async () => {
    bed = await startTestBed("webhooks-rights");
    await bed.writeSecret(await bed.newLeaf());
  });
  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  it.each([
    { kind: "ClusterRole", verb: "list", resource: "shieldpolicies", told: "list shieldpolicies.shieldx.io" },
    { kind: "ClusterRole", verb: "list", resource: "namespaces", told: "list namespaces" },
    { kind: "Role", verb: "get", resource: "secrets", told: 'get secrets "shieldx-webhooks-tls"' },
  ] as const)(
    "stays alive and not ready without $verb on $resource, says what to do, and becomes ready unaided",
    async ({ kind, verb, resource, told }) => {
      await grant(kind, lacking(verb, resource));
      const webhook = await bed.start({ name: `without-${resource}` });
      const lines = () =>
        webhook
          .output()
          .split("\n")
          .filter((line) => line.includes("missing rights"))
          .map((line) => JSON.parse(line).msg as string);
      await waitFor("told", async () => lines().some((line) => line.includes(told)));
      expect((await fetch(`http://127.0.0.1:${webhook.ports.health}/healthz`)).status).toBe(200);
      expect(await webhook.isReady()).toBe(false);
      expect(await bed.lease(webhook.name)).toBeUndefined();

      await grant(kind);
      await untilReady(webhook);
      expect(lines()).toHaveLength(1);
      expect(lines()[0]).toMatch(/Install the chart's roles and bindings for this identity/);
      webhook.signal("SIGTERM");
      expect(await webhook.exited).toBe(0);
    },
  );

  it("is ready without the right to write Events, and says that it lacks it", async () => {
    await grant("ClusterRole", lacking("create", "events"));
    const webhook = await bed.start({ name: "without-events" });
    await untilReady(webhook);
    expect(webhook.output()).toContain("missing rights: create events.events.k8s.io. Requests are served");
    webhook.signal("SIGTERM");
    expect(await webhook.exited).toBe(0);
    await grant("ClusterRole");
  });
});
