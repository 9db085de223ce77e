// What the charts render for which values, with Helm itself. That a real API server takes it is objects.integration.test.ts.

import { readFile } from "node:fs/promises";
import { GENERATED_KINDS, GENERATION_VERBS } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { type ChartName, objectsOf, type Rendered, renderChart } from "../../shieldx/chart.ts";
import { installManifest, installManifestPath } from "../../shieldx/install-manifest.ts";

const render = async (
  values: Record<string, string> = {},
  chart: ChartName = "shieldx",
): Promise<Rendered[]> => objectsOf(await renderChart(values, "shieldx-system", { chart }));
const named = (objects: readonly Rendered[], kind: string, name: string): Rendered => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} is rendered`);
  return found;
};
const kinds = (objects: readonly Rendered[]): Set<string> => new Set(objects.map(({ kind }) => kind));
/** Helm's refusal; fails when there is none. */
const refusal = async (values: Record<string, string>, chart: ChartName = "shieldx"): Promise<string> => {
  const error = await renderChart(values, "shieldx-system", { chart }).then(
    () => undefined,
    (reason: unknown) => reason as { stderr?: string },
  );
  return error?.stderr ?? "rendered";
};

describe("the chart shieldx", () => {
  it.each(["operator", "webhooks"])(
    "runs the %s as Pod Security restricted wants it, and tighter",
    async (component) => {
      const { spec } = named(await render(), "Deployment", `shieldx-${component}`).spec.template;
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(spec.volumes).toEqual([{ name: "plans", emptyDir: { sizeLimit: "128Mi" } }]);
      expect(spec.containers).toHaveLength(1);
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.requests).toMatchObject({
          cpu: expect.any(String),
          memory: expect.any(String),
        });
        expect(container.resources.limits.memory).toEqual(expect.any(String));
        expect(Object.keys(container)).toEqual(
          expect.arrayContaining(["startupProbe", "livenessProbe", "readinessProbe"]),
        );
      }
    },
  );

  it.each([
    ["operator", 2],
    ["webhooks", 3],
  ])(
    "spreads %s ×%i over nodes and zones and lets drains take one at a time",
    async (component, replicas) => {
      const objects = await render();
      const { spec } = named(objects, "Deployment", `shieldx-${component}`);
      expect(spec.replicas).toBe(replicas);
      const spread = spec.template.spec.topologySpreadConstraints;
      expect(spread.map((c: { topologyKey: string }) => c.topologyKey)).toEqual([
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
      ]);
      const budget = named(objects, "PodDisruptionBudget", `shieldx-${component}`).spec;
      expect(budget.maxUnavailable).toBe(1);
      for (const { labelSelector } of [...spread, { labelSelector: budget.selector }]) {
        expect(labelSelector.matchLabels).toEqual(spec.selector.matchLabels);
        expect(spec.template.metadata.labels).toMatchObject(labelSelector.matchLabels);
      }
    },
  );

  it("selects with each Service and NetworkPolicy the Pods of its own component, ports that exist included", async () => {
    const objects = await render();
    for (const component of ["operator", "webhooks"]) {
      const { selector, template } = named(objects, "Deployment", `shieldx-${component}`).spec;
      const open = template.spec.containers[0].ports
        .map((p: { containerPort: number }) => p.containerPort)
        .sort();
      const policy = named(objects, "NetworkPolicy", `shieldx-${component}`).spec;
      expect(policy.podSelector.matchLabels).toEqual(selector.matchLabels);
      expect(policy.policyTypes).toEqual(["Ingress", "Egress"]);
      const let_in = policy.ingress.flatMap((rule: { ports: { port: number }[] }) =>
        rule.ports.map((p) => p.port),
      );
      expect(let_in.sort()).toEqual(open);
      expect(
        policy.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports.map((p) => p.port)),
      ).toEqual([443, 6443, 53, 53]);
    }
    const service = named(objects, "Service", "shieldx-webhooks").spec;
    expect(service.selector).toEqual(
      named(objects, "Deployment", "shieldx-webhooks").spec.selector.matchLabels,
    );
    expect(service.ports.map((p: { targetPort: number }) => p.targetPort)).toEqual([9443, 9444, 8443]);
  });

  it("keeps the CRDs at uninstall unless told otherwise, and leaves them out when asked", async () => {
    const crds = async (values: Record<string, string>): Promise<Rendered[]> =>
      (await render(values)).filter(({ kind }) => kind === "CustomResourceDefinition");
    const policyOf = ({ metadata }: Rendered): string | undefined =>
      metadata.annotations?.["helm.sh/resource-policy"];
    expect((await crds({})).map(policyOf)).toEqual(Array(6).fill("keep"));
    expect((await crds({ "crds.keep": "false" })).map(policyOf)).toEqual(Array(6).fill(undefined));
    expect(await crds({ "crds.enabled": "false" })).toEqual([]);
    const names = (await crds({ "crds.openReports": "true" })).map(({ metadata }) => metadata.name);
    expect(names.sort()).toEqual([
      "namespacedshieldpolicies.shieldx.io",
      "reports.openreports.io",
      "shieldbreakglasses.shieldx.io",
      "shieldcleanups.shieldx.io",
      "shieldexceptions.shieldx.io",
      "shieldgenerators.shieldx.io",
      "shieldpolicies.shieldx.io",
    ]);
  });

  it("exempts the agents' namespace only when it makes it", async () => {
    const args = (objects: readonly Rendered[]): string[] =>
      ["operator", "webhooks"].flatMap(
        (c) => named(objects, "Deployment", `shieldx-${c}`).spec.template.spec.containers[0].args,
      );
    const flag = "--agents-namespace=shieldx-agents";
    const without = await render();
    expect(args(without)).not.toContain(flag);
    expect(kinds(without)).not.toContain("Namespace");
    const withAgents = await render({ "agentsNamespace.create": "true" });
    expect(args(withAgents).filter((arg) => arg === flag)).toHaveLength(2);
    named(withAgents, "Namespace", "shieldx-agents");
  });

  it("serves the page to who is bound to one role, or not at all", async () => {
    const argsOf = (objects: readonly Rendered[]): string[] =>
      named(objects, "Deployment", "shieldx-operator").spec.template.spec.containers[0].args;
    const served = await render();
    expect(argsOf(served)).toContain("--page=true");
    expect(named(served, "ClusterRole", "shieldx-page-reader")).toMatchObject({
      rules: [{ nonResourceURLs: ["/page/data"], verbs: ["get"] }],
    });
    const bound = served.filter(({ roleRef }) => roleRef?.name === "shieldx-page-reader");
    expect(bound).toEqual([]);
    const off = await render({ "page.enabled": "false" });
    expect(argsOf(off)).toContain("--page=false");
    expect(JSON.stringify(off)).not.toContain("page-reader");
  });

  it("writes its own namespace with Pod Security labels when asked", async () => {
    const { metadata } = named(await render({ "namespace.create": "true" }), "Namespace", "shieldx-system");
    expect(metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
  });

  it("takes a digest before a tag, and a tag before its own version", async () => {
    const image = async (values: Record<string, string>): Promise<string> =>
      named(
        await render({ "image.repository": "registry.example.com:5000/a/b", ...values }),
        "Deployment",
        "shieldx-operator",
      ).spec.template.spec.containers[0].image;
    expect(await image({})).toBe("registry.example.com:5000/a/b:0.1.0");
    expect(await image({ "image.tag": "1.2.3" })).toBe("registry.example.com:5000/a/b:1.2.3");
    const digest = `sha256:${"a".repeat(64)}`;
    expect(await image({ "image.tag": "1.2.3", "image.digest": digest })).toBe(
      `registry.example.com:5000/a/b@${digest}`,
    );
  });

  it("hands scheduling, labels and further flags on to the Pods it was told about, and to no others", async () => {
    const objects = await render({
      "operator.nodeSelector.disk": "fast",
      "operator.tolerations[0].operator": "Exists",
      "operator.podLabels.team": "security",
      "operator.podAnnotations.note": "read",
      "operator.extraArgs": "{--audit-reports=5}",
      "operator.affinity.podAffinity.x": "y",
      "operator.topologySpreadConstraints[0].topologyKey": "rack",
      "image.pullSecrets[0].name": "registry",
    });
    const pod = named(objects, "Deployment", "shieldx-operator").spec.template;
    expect(pod.metadata).toMatchObject({ labels: { team: "security" }, annotations: { note: "read" } });
    expect(pod.spec).toMatchObject({
      nodeSelector: { disk: "fast" },
      tolerations: [{ operator: "Exists" }],
      affinity: { podAffinity: { x: "y" } },
      topologySpreadConstraints: [{ topologyKey: "rack" }],
      imagePullSecrets: [{ name: "registry" }],
    });
    expect(pod.spec.containers[0].args.at(-1)).toBe("--audit-reports=5");
    const other = named(objects, "Deployment", "shieldx-webhooks").spec.template;
    expect(other.spec).not.toHaveProperty("nodeSelector");
    expect(other.metadata.labels).not.toHaveProperty("team");
    expect(other.spec.imagePullSecrets).toEqual([{ name: "registry" }]);
  });

  it("grants the right to read parameters only for the kinds that are listed", async () => {
    expect((await render()).filter(({ metadata }) => metadata.name === "shieldx-parameters")).toEqual([]);
    const objects = await render({
      "rbac.paramKinds[0].apiGroup": "rules.example.com",
      "rbac.paramKinds[0].resources": "{replicalimits,imagelists}",
    });
    expect(named(objects, "ClusterRole", "shieldx-parameters").rules).toEqual([
      {
        apiGroups: ["rules.example.com"],
        resources: ["replicalimits", "imagelists"],
        verbs: ["get", "list", "watch"],
      },
    ]);
    const subjects = named(objects, "ClusterRoleBinding", "shieldx-parameters").subjects;
    expect(subjects.map((s: { name: string }) => s.name)).toEqual(["shieldx-operator", "shieldx-webhooks"]);
  });

  it("grants the right to watch an inventory only for the kinds that are listed", async () => {
    expect((await render()).filter(({ metadata }) => metadata.name === "shieldx-inventory")).toEqual([]);
    const objects = await render({
      "rbac.inventoryKinds[0].apiGroup": "networking.k8s.io",
      "rbac.inventoryKinds[0].resources": "{ingresses}",
    });
    expect(named(objects, "ClusterRole", "shieldx-inventory").rules).toEqual([
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["list", "watch"] },
    ]);
    const subjects = named(objects, "ClusterRoleBinding", "shieldx-inventory").subjects;
    expect(subjects.map((s: { name: string }) => s.name)).toEqual(["shieldx-operator", "shieldx-webhooks"]);
  });

  it("grants the right to audit only for the kinds that are listed", async () => {
    expect((await render()).filter(({ metadata }) => metadata.name === "shieldx-audited")).toEqual([]);
    const objects = await render({
      "rbac.auditedKinds[0].apiGroup": "networking.k8s.io",
      "rbac.auditedKinds[0].resources": "{ingresses}",
    });
    expect(named(objects, "ClusterRole", "shieldx-audited").rules).toEqual([
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["list", "watch"] },
    ]);
    const subjects = named(objects, "ClusterRoleBinding", "shieldx-audited").subjects;
    expect(subjects.map((s: { name: string }) => s.name)).toEqual(["shieldx-operator"]);
  });

  it("grants generators and clean-ups only the kinds that are listed, and what is done with them", async () => {
    const roles = ["shieldx-generated", "shieldx-cleaned"];
    expect((await render()).filter(({ metadata }) => roles.includes(metadata.name))).toEqual([]);
    const objects = await render({
      "rbac.generatedKinds": `{${GENERATED_KINDS.map(({ kind }) => kind).join(",")}}`,
      "rbac.cleanedKinds[0].apiGroup": "batch",
      "rbac.cleanedKinds[0].resources": "{jobs}",
    });
    expect(named(objects, "ClusterRole", "shieldx-generated").rules).toEqual(
      GENERATED_KINDS.map(({ group, plural }) => ({
        apiGroups: [group],
        resources: [plural],
        verbs: GENERATION_VERBS,
      })),
    );
    expect(named(objects, "ClusterRole", "shieldx-cleaned").rules).toEqual([
      { apiGroups: ["batch"], resources: ["jobs"], verbs: ["delete", "list"] },
    ]);
    for (const role of roles) {
      const { subjects } = named(objects, "ClusterRoleBinding", role);
      expect(subjects.map((s: { name: string }) => s.name)).toEqual(["shieldx-operator"]);
    }
  });

  it("lets only reading aggregate, and what can but tighten, and nothing when asked", async () => {
    const aggregating = (objects: readonly Rendered[]): string[] =>
      objects
        .filter(({ metadata }) =>
          Object.keys(metadata.labels ?? {}).some((l) => l.includes("/aggregate-to-")),
        )
        .map(({ metadata }) => metadata.name);
    const objects = await render();
    expect(aggregating(objects).sort()).toEqual(["shieldx-tenant", "shieldx-view"]);
    const tenant = named(objects, "ClusterRole", "shieldx-tenant");
    expect(tenant.metadata.labels).not.toHaveProperty(["rbac.authorization.k8s.io/aggregate-to-edit"]);
    expect(tenant.rules.flatMap((r: { resources: string[] }) => r.resources)).toEqual([
      "namespacedshieldpolicies",
    ]);
    const verbs = named(objects, "ClusterRole", "shieldx-view").rules.flatMap(
      (r: { verbs: string[] }) => r.verbs,
    );
    expect(new Set(verbs)).toEqual(new Set(["get", "list", "watch"]));
    const none = { "rbac.aggregateToView": "false", "rbac.aggregateToAdmin": "false" };
    expect(aggregating(await render(none))).toEqual([]);
  });

  it("lets metrics be scraped by the peers that are named", async () => {
    const objects = await render({
      "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name": "monitoring",
    });
    const rules = named(objects, "NetworkPolicy", "shieldx-webhooks").spec.ingress;
    expect(rules.filter((rule: { from?: unknown }) => rule.from !== undefined)).toEqual([
      {
        ports: [{ protocol: "TCP", port: 8443 }],
        from: [{ namespaceSelector: { matchLabels: { name: "monitoring" } } }],
      },
    ]);
  });

  it("lets the webhook's ports be reached by the peers that are named, and the kubelets' by all", async () => {
    const objects = await render({ "networkPolicy.webhooksFrom[0].ipBlock.cidr": "10.0.0.0/28" });
    const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));
    expect(named(objects, "NetworkPolicy", "shieldx-webhooks").spec.ingress).toEqual([
      { ports: tcp(8081) },
      { ports: tcp(9443, 9444), from: [{ ipBlock: { cidr: "10.0.0.0/28" } }] },
      { ports: tcp(8443) },
    ]);
    expect(named(objects, "NetworkPolicy", "shieldx-operator").spec.ingress).toEqual([
      { ports: tcp(8081) },
      { ports: tcp(8443) },
    ]);
  });

  it("asks for client certificates of the authorities that are named", async () => {
    const podOf = (objects: readonly Rendered[]) =>
      named(objects, "Deployment", "shieldx-webhooks").spec.template.spec;
    expect(JSON.stringify(podOf(await render()))).not.toContain("client-ca");
    const { containers, volumes } = podOf(
      await render({
        "webhooks.clientCaConfigMap.name": "api-server-ca",
        "webhooks.clientCaConfigMap.key": "ca.crt",
      }),
    );
    expect(containers[0].args).toContain("--client-ca-file=/var/run/client-ca/ca.crt");
    expect(containers[0].volumeMounts).toContainEqual({
      name: "client-ca",
      mountPath: "/var/run/client-ca",
      readOnly: true,
    });
    expect(volumes).toContainEqual({ name: "client-ca", configMap: { name: "api-server-ca" } });
  });

  it("does without what is switched off", async () => {
    const off = kinds(
      await render({
        "operator.enabled": "false",
        "webhooks.enabled": "false",
        "networkPolicy.enabled": "false",
        "crds.enabled": "false",
        "uninstall.hook": "false",
      }),
    );
    for (const kind of [
      "Deployment",
      "PodDisruptionBudget",
      "NetworkPolicy",
      "CustomResourceDefinition",
      "Job",
    ]) {
      expect(off).not.toContain(kind);
    }
    expect(kinds(await render({ "uninstall.hook": "false" }))).not.toContain("Job");
    // A release whose operator was switched off later still has to clear up what it made.
    expect(kinds(await render({ "operator.enabled": "false" }))).toContain("Job");
    const budgets = {
      "operator.podDisruptionBudget.enabled": "false",
      "webhooks.podDisruptionBudget.enabled": "false",
    };
    expect(kinds(await render(budgets))).not.toContain("PodDisruptionBudget");
  });

  it("renders the same twice: nothing in it is made up at random", async () => {
    expect(await renderChart({})).toBe(await renderChart({}));
  });

  it.each([
    [{ "webhooks.minAvailable": "2" }, "'/webhooks': additional properties 'minAvailable' not allowed"],
    [{ "operator.replicas": "two" }, "'/operator/replicas': got string, want integer"],
    [{ "operator.replicas": "-1" }, "'/operator/replicas'"],
    [{ logLevel: "chatty" }, "'/logLevel': value must be one of 'debug', 'info', 'warn', 'error'"],
    [{ "image.tag": "a:b" }, "'/image/tag'"],
    [{ "image.digest": "sha1:abc" }, "'/image/digest'"],
    [{ "image.pullPolicy": "Sometimes" }, "'/image/pullPolicy'"],
    [{ "webhooks.url": "http://127.0.0.1:9443" }, "'/webhooks/url'"],
    [{ "webhooks.url": "https://127.0.0.1:9443" }, "webhooks.url and webhooks.probeUrl go together"],
    [{ "webhooks.clientCaConfigMap.name": "a" }, "'/webhooks/clientCaConfigMap'"],
    [{ "networkPolicy.webhooksFrom": "{10.0.0.0/28}" }, "'/networkPolicy/webhooksFrom/0'"],
    [{ "webhooks.shutdownDelay": "10 s" }, "'/webhooks/shutdownDelay'"],
    [{ "webhooks.timeoutSeconds": "31" }, "'/webhooks/timeoutSeconds'"],
    [
      { "webhooks.podDisruptionBudget.maxUnavailable": "0" },
      "'/webhooks/podDisruptionBudget/maxUnavailable'",
    ],
    [{ "operator.podLabels.app\\.kubernetes\\.io/name": "x" }, "'app.kubernetes.io/name'"],
    [{ "networkPolicy.apiServerPorts": "{https}" }, "'/networkPolicy/apiServerPorts/0'"],
    [{ "rbac.paramKinds[0].resources": "{a}" }, "'/rbac/paramKinds/0': missing property 'apiGroup'"],
    [
      {
        "rbac.paramKinds[0].resources": "{secrets}",
        "rbac.paramKinds[0].apiGroup": "",
      },
      "rbac.paramKinds[0].resources: secrets",
    ],
    [
      { "rbac.inventoryKinds[0].resources": "{secrets}", "rbac.inventoryKinds[0].apiGroup": "" },
      "rbac.inventoryKinds[0].resources: secrets",
    ],
    [
      { "rbac.cleanedKinds[0].resources": "{secrets}", "rbac.cleanedKinds[0].apiGroup": "" },
      "rbac.cleanedKinds[0].resources: secrets",
    ],
    [{ "rbac.generatedKinds": "{Secret}" }, "/rbac/generatedKinds/0"],
    [
      { "rbac.auditedKinds[0].resources": "{secrets}", "rbac.auditedKinds[0].apiGroup": "" },
      "rbac.auditedKinds[0].resources: secrets",
    ],
    [
      { "operator.resources.limit.memory": "1Gi" },
      "'/operator/resources': additional properties 'limit' not allowed",
    ],
    [{ operators: "1" }, "additional properties 'operators' not allowed"],
  ])("refuses %j, naming it", async (values, message) => {
    expect(await refusal(values as unknown as Record<string, string>)).toContain(message);
  });

  it("can be a dependency of another chart, with a condition and globals", async () => {
    expect(await render({ enabled: "true", "global.team": "a" })).toEqual(await render());
  });
});

describe("the chart shieldx-policies", () => {
  const bundles = (values: Record<string, string>): Promise<Rendered[]> => render(values, "shieldx-policies");

  it("refuses nothing by default", async () => {
    const policies = await bundles({});
    expect(policies.map(({ metadata }) => metadata.name)).toEqual(["baseline-pods", "baseline-services"]);
    for (const { spec } of policies) expect(spec.actions).toEqual({ admission: "warn" });
  });

  it("puts a bundle's terms into each of its policies", async () => {
    const [pods, services] = await bundles({
      "baseline.action": "deny",
      "baseline.failurePolicy": "Ignore",
      "baseline.version": "v1.34",
      "baseline.namespaceSelector.matchLabels.team": "payments",
      "baseline.exemptions.namespaces": "{storage-drivers}",
      "baseline.exemptions.usernames": "{system:serviceaccount:ci:deployer}",
      "baseline.exceptions.namespaces.names": "{payments}",
      "baseline.exceptions.maxDuration": "24h",
      namePrefix: "payments-",
    });
    expect(pods?.metadata.name).toBe("payments-baseline-pods");
    expect(services?.metadata.name).toBe("payments-baseline-services");
    const alike = {
      actions: { admission: "deny" },
      failurePolicy: "Ignore",
      exceptions: { namespaces: { names: ["payments"] }, maxDuration: "24h" },
    };
    expect(pods?.spec).toEqual({
      ...alike,
      engine: "podSecurity",
      podSecurity: {
        level: "baseline",
        version: "v1.34",
        exemptions: { namespaces: ["storage-drivers"], usernames: ["system:serviceaccount:ci:deployer"] },
      },
      matchConstraints: { namespaceSelector: { matchLabels: { team: "payments" } } },
    });
    expect(services?.spec).toMatchObject({
      ...alike,
      matchConstraints: {
        namespaceSelector: {
          matchLabels: { team: "payments" },
          matchExpressions: [
            { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["storage-drivers"] },
          ],
        },
      },
      matchConditions: [
        {
          name: "not-exempt",
          expression: '!(request.userInfo.username in ["system:serviceaccount:ci:deployer"])',
        },
      ],
    });
  });

  it("has a bundle restricted, off until it is asked for", async () => {
    const policies = await bundles({ "baseline.enabled": "false", "restricted.enabled": "true" });
    expect(policies.map(({ metadata, spec }) => [metadata.name, spec.podSecurity.level])).toEqual([
      ["restricted-pods", "restricted"],
    ]);
  });

  it.each([
    [{ "baseline.action": "off" }, "'/baseline/action'"],
    [{ "baseline.version": "1.34" }, "'/baseline/version'"],
    [
      { "baseline.exemptions.users": "{a}" },
      "'/baseline/exemptions': additional properties 'users' not allowed",
    ],
    [{ "restricted.namespaceSelector.team": "a" }, "'/restricted/namespaceSelector'"],
    [{ namePrefix: "Bad_" }, "'/namePrefix'"],
  ])("refuses %j, naming it", async (values, message) => {
    expect(await refusal(values as unknown as Record<string, string>, "shieldx-policies")).toContain(message);
  });
});

describe("charts/install.yaml", () => {
  it("is what the chart renders now", async () => {
    expect(
      (await readFile(installManifestPath, "utf8")) === (await installManifest()),
      "run make generate",
    ).toBe(true);
  });

  it("has no hook, which only Helm would run", async () => {
    const text = await readFile(installManifestPath, "utf8");
    expect(
      objectsOf(text).filter(({ metadata }) => metadata.annotations?.["helm.sh/hook"] !== undefined),
    ).toEqual([]);
  });
});
