// The bundle `platform` of the chart shieldx-policies, as Helm renders it. Needs no cluster.
import { parseShieldPolicy, type ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { objectsOf, renderChart } from "../../shieldx/chart.ts";
import { CATEGORIES, readLibrary, SEVERITIES } from "./library.ts";

const library = readLibrary();

async function platform(values: Record<string, string>): Promise<ShieldPolicy[]> {
  const all = { "platform.enabled": "true", "baseline.enabled": "false", ...values };
  const rendered = objectsOf(await renderChart(all, "shieldx-system", { chart: "shieldx-policies" }));
  return rendered.map((object) => parseShieldPolicy(object));
}
const namesOf = (policies: readonly ShieldPolicy[]) => policies.map(({ metadata }) => metadata.name).sort();

describe("the bundle platform", () => {
  it("is off by default, and then holds what is severe", async () => {
    expect(await platform({ "platform.enabled": "false" })).toEqual([]);
    const policies = await platform({});
    const severe = library.filter(
      ({ category, severity }) =>
        !["pod-security", "workload", "cost"].includes(category) && ["critical", "high"].includes(severity),
    );
    expect(severe.length).toBeGreaterThan(20);
    expect(namesOf(policies)).toEqual(severe.map(({ name }) => name).sort());
    for (const { spec } of policies) expect(spec.actions.admission).toBe("warn");
  });

  it("holds every policy as the library does, but for a bundle's terms", async () => {
    const policies = await platform({
      "platform.categories": `{${CATEGORIES.join()}}`,
      "platform.severities": `{${SEVERITIES.join()}}`,
      "platform.action": "deny",
      "platform.failurePolicy": "Ignore",
      "platform.namespaceSelector.matchLabels.team": "payments",
      "platform.exemptions.namespaces": "{storage-drivers}",
      "platform.exceptions.namespaces.names": "{payments}",
      namePrefix: "payments-",
    });
    expect(policies).toHaveLength(library.length);
    const byName = new Map(policies.map((policy) => [policy.metadata.name, policy]));
    for (const { name, policy } of library) {
      const { metadata, spec } = byName.get(`payments-${name}`) as ShieldPolicy;
      expect(metadata.annotations).toEqual(policy.metadata.annotations);
      expect(metadata.labels).toMatchObject({ "shieldx.io/bundle": "platform" });
      expect(spec).toEqual({
        ...policy.spec,
        actions: { admission: "deny", background: policy.spec.actions.background },
        failurePolicy: "Ignore",
        exceptions: { namespaces: { names: ["payments"] }, maxDuration: "720h" },
        matchConstraints: {
          ...policy.spec.matchConstraints,
          namespaceSelector: {
            matchLabels: { team: "payments" },
            matchExpressions: [
              { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["storage-drivers"] },
            ],
          },
        },
      });
    }
  });

  it("takes an action for each policy, and one that is in no category", async () => {
    const policies = await platform({
      "platform.categories": "{ingress}",
      "platform.policies.no-ingress-snippets": "deny",
      "platform.policies.ingress-tls-required": "none",
      "platform.policies.two-replicas": "audit",
    });
    const actions = policies.map(({ metadata, spec }) => [metadata.name, spec.actions.admission]);
    expect(Object.fromEntries(actions)).toEqual({ "no-ingress-snippets": "deny", "two-replicas": "audit" });
  });

  it.each([
    [
      { "platform.policies.no-such-thing": "deny" },
      "platform.policies.no-such-thing: the library has no such policy",
    ],
    [{ "platform.policies.two-replicas": "block" }, "'/platform/policies/two-replicas'"],
    [{ "platform.categories": "{networks}" }, "'/platform/categories/0'"],
  ])("refuses %j, naming it", async (values, message) => {
    const said = await platform(values as unknown as Record<string, string>).then(
      () => "rendered",
      (reason: { stderr?: string }) => reason.stderr ?? String(reason),
    );
    expect(said).toContain(message);
  });
});
