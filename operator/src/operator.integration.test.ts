import { readFile } from "node:fs/promises";
import {
  type Client,
  createClient,
  createManager,
  type Logger,
  loadCredentials,
  realClock,
  silentLogger,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@shieldx/controller-runtime";
import { type Cluster, startCluster, waitFor as waitUntil } from "@shieldx/e2e/cluster";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ShieldPolicyType } from "./kinds.ts";
import { buildOperator } from "./operator.ts";
import { operatorRbac } from "./rbac.ts";

const waitFor = <T>(what: string, condition: () => Promise<T> | T, options: object = {}) =>
  waitUntil(what, async () => (await condition()) || undefined, { timeoutMs: 15_000, ...options });
const NAMESPACE = "shieldx-system";

function roles(): object[] {
  const subject = [{ kind: "ServiceAccount", name: "shieldx-operator", namespace: NAMESPACE }];
  const api = "rbac.authorization.k8s.io";
  const meta = { name: "shieldx-operator" };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { ...meta, namespace: NAMESPACE } },
    { apiVersion: `${api}/v1`, kind: "ClusterRole", metadata: meta, rules: operatorRbac.cluster },
    {
      apiVersion: `${api}/v1`,
      kind: "Role",
      metadata: { ...meta, namespace: NAMESPACE },
      rules: operatorRbac.namespace,
    },
    {
      apiVersion: `${api}/v1`,
      kind: "ClusterRoleBinding",
      metadata: meta,
      roleRef: { apiGroup: api, kind: "ClusterRole", name: meta.name },
      subjects: subject,
    },
    {
      apiVersion: `${api}/v1`,
      kind: "RoleBinding",
      metadata: { ...meta, namespace: NAMESPACE },
      roleRef: { apiGroup: api, kind: "Role", name: meta.name },
      subjects: subject,
    },
  ];
}

const celPolicy = (name: string, expression: string, over: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "cel",
    actions: { admission: "deny" },
    matchConstraints: {
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE", "UPDATE"] },
      ],
    },
    validations: [{ expression, message: "data.level must be low" }],
    ...over,
  },
});
const podSecurityPolicy = (name: string, over: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "podSecurity",
    podSecurity: { level: "baseline" },
    actions: { admission: "deny" },
    ...over,
  },
});
const configMap = (level: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "probe", namespace: "default" },
  data: { level },
});
const pod = (name: string, namespace: string, hostNetwork: boolean) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
  spec: { hostNetwork, containers: [{ name: "main", image: "none.invalid/none" }] },
});

describe("the operator on a real control plane", () => {
  let cluster: Cluster;
  let admin: Client;

  let registry: Registry;
  const failures: string[] = [];
  const stop = new AbortController();
  let ran: Promise<void>;

  const kubectl = (args: string[], input?: unknown) =>
    cluster.kubectl(
      args,
      input === undefined ? {} : { input: typeof input === "string" ? input : JSON.stringify(input) },
    );
  const apply = async (...objects: object[]) => {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    const result = await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], list);
    expect(result.code, result.stderr).toBe(0);
  };
  const isDenied = async (level: string) => {
    const { code, stderr } = await kubectl(["create", "--dry-run=server", "-f", "-"], configMap(level));
    return code !== 0 && stderr.includes("data.level must be low");
  };
  const policyOf = (name: string) => admin.get(ShieldPolicyType, { name });
  const condition = async (name: string, type: string) => {
    const found = (await policyOf(name)).status?.conditions?.find((item) => item.type === type);
    return `${found?.status} ${found?.reason}`;
  };
  const vap = (name: string) => admin.find(ValidatingAdmissionPolicy, { name: `shieldx-${name}` });

  beforeAll(async () => {
    cluster = await startCluster({ name: "operator" });
    for (const file of ["shieldpolicies", "shieldexceptions"]) {
      await kubectl(
        ["apply", "--server-side", "-f", "-"],
        await readFile(new URL(`../../crds/generated/${file}.yaml`, import.meta.url), "utf8"),
      );
    }
    await apply(...roles());
    await kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    admin = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
    const kubeconfig = await cluster.serviceAccountKubeconfig(NAMESPACE, "shieldx-operator");
    const client = createClient({ credentials: await loadCredentials({ kubeconfig }) });
    registry = new Registry();
    const logger: Logger = {
      ...silentLogger,
      error: (fields, message) => failures.push(`${message}: ${JSON.stringify(fields)}`),
    };
    const manager = createManager({
      client,
      name: "shieldx-operator",
      namespace: NAMESPACE,
      metrics: registry,
      logger,
    });
    buildOperator({
      manager,
      registry,
      clock: realClock,
      logger,
      namespace: NAMESPACE,
      serverMinor: 37,
      webhookAddress: { kind: "service", namespace: NAMESPACE },
      auditReports: 1000,
    });
    ran = manager.run(stop.signal);
  });
  afterAll(async () => {
    stop.abort(new Error("test ended"));
    await ran;
    await admin.close();
    await cluster.stop();
  });

  it("renders a cel policy, and a bad object is refused", async () => {
    const startedAt = performance.now();
    await apply(celPolicy("low-only", "object.data.level == 'low'"));
    await waitFor("high is refused", () => isDenied("high"));
    console.log("in force after ms", performance.now() - startedAt);
    expect(await isDenied("low")).toBe(false);
    await waitFor(
      "the policy is ready",
      async () => (await condition("low-only", "Ready")) === "True InForce",
    );
    expect((await policyOf("low-only")).status).toMatchObject({
      enforcedBy: "Native",
      observedGeneration: 1,
    });
  });

  it("has a change in force within two seconds", async () => {
    await apply(celPolicy("low-only", "object.data.level == 'medium'"));
    const changedAt = performance.now();
    await waitFor("low is refused now", () => isDenied("low"));
    const tookMs = performance.now() - changedAt;
    console.log("change in force after ms", tookMs);
    expect(tookMs).toBeLessThan(2500);
    expect(await isDenied("medium")).toBe(false);
  });

  it("restores what was tampered with or deleted within a second, and says so", async () => {
    const before = (await vap("low-only"))?.spec;
    await kubectl([
      "patch",
      "validatingadmissionpolicy",
      "shieldx-low-only",
      "--type=json",
      "-p",
      '[{"op":"replace","path":"/spec/validations/0/expression","value":"true"}]',
    ]);
    let at = performance.now();
    await waitFor(
      "expression restored",
      async () => JSON.stringify((await vap("low-only"))?.spec) === JSON.stringify(before),
      { everyMs: 10 },
    );
    console.log("restored after ms", performance.now() - at);
    expect(performance.now() - at).toBeLessThan(1000);

    await kubectl([
      "patch",
      "validatingadmissionpolicy",
      "shieldx-low-only",
      "--type=merge",
      "-p",
      '{"spec":{"matchConstraints":{"objectSelector":{"matchLabels":{"never":"there"}}}}}',
    ]);
    at = performance.now();
    await waitFor(
      "added field removed",
      async () => JSON.stringify((await vap("low-only"))?.spec) === JSON.stringify(before),
      { everyMs: 10 },
    );
    expect(performance.now() - at).toBeLessThan(1000);

    await kubectl(["delete", "validatingadmissionpolicybinding", "shieldx-low-only"]);
    at = performance.now();
    await waitFor(
      "binding is back",
      async () =>
        (await admin.find(ValidatingAdmissionPolicyBinding, { name: "shieldx-low-only" })) !== undefined,
      { everyMs: 10 },
    );
    expect(performance.now() - at).toBeLessThan(1000);
    const metrics = await registry.getSingleMetricAsString("shieldx_tampering_restored_total");
    expect(metrics).toContain('kind="ValidatingAdmissionPolicy"} 2');
    expect(metrics).toContain('kind="ValidatingAdmissionPolicyBinding"} 1');
    await waitFor("an Event about the policy is written", async () => {
      const selector = "reason=TamperingRestored";
      const { stdout } = await kubectl([
        "get",
        "events.events.k8s.io",
        "-A",
        "-o",
        "name",
        "--field-selector",
        selector,
      ]);
      return stdout.includes("low-only");
    });
  });

  it("tells a broken expression and what only the server's type check sees", async () => {
    await apply(celPolicy("broken", "object.data.level =="));
    await waitFor(
      "refusal shown",
      async () => (await condition("broken", "Ready")) === "False RefusedByServer",
    );
    const enforced = (await policyOf("broken")).status?.conditions?.find(({ type }) => type === "Enforced");
    expect(enforced?.message).toMatch(/Syntax error/);
    await apply(celPolicy("odd", "object.nosuchfield == 1"));
    await waitFor(
      "warning shown",
      async () => (await condition("odd", "Degraded")) === "True TypeCheckWarnings",
    );
  });

  it("renders nothing for a policy that is off, and leaves nothing behind", async () => {
    await apply(celPolicy("odd", "true", { actions: { admission: "off" } }));
    await waitFor("rendered policy removed", async () => (await vap("odd")) === undefined);
    await waitFor("status says so", async () => (await condition("odd", "Enforced")) === "False ActionOff");
    await kubectl(["delete", "shieldpolicy", "low-only", "odd", "broken"]);
    await waitFor(
      "nothing is left",
      async () =>
        (
          await kubectl([
            "get",
            "validatingadmissionpolicies,validatingadmissionpolicybindings",
            "-l",
            "app.kubernetes.io/managed-by=shieldx-operator",
            "-o",
            "name",
          ])
        ).stdout === "",
    );
  });

  it("makes certificates, and publishes no Fail configuration while no replica is ready", async () => {
    const { stdout } = await kubectl(["get", "secret", "-n", NAMESPACE, "-o", "name"]);
    expect(stdout).toContain("shieldx-webhooks-ca");
    expect(stdout).toContain("shieldx-webhooks-tls");
    await apply(podSecurityPolicy("base", { exceptions: { namespaces: { names: ["default"] } } }));
    await waitFor(
      "waiting shown",
      async () => (await condition("base", "Enforced")) === "False WaitingForReplica",
    );
    expect((await kubectl(["get", "validatingwebhookconfigurations", "-o", "name"])).stdout).toBe("");
  });

  it("audits what exists, incrementally", async () => {
    await apply(pod("good", "default", false), pod("bad", "default", true));
    await waitFor("one offender", async () => (await policyOf("base")).status?.counts?.violating === 1);
    expect((await policyOf("base")).status?.worstOffenders).toEqual([
      { apiVersion: "v1", kind: "Pod", namespace: "default", name: "bad", violations: 1 },
    ]);
    await apply({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "let-bad", namespace: "default" },
      spec: {
        policies: ["base", "gone"],
        owner: "team-a",
        reason: "for as long as the test lasts",
        expiresAt: new Date(Date.now() + 20_000).toISOString(),
        match: { names: ["bad"] },
      },
    });
    await waitFor("exempt", async () => (await policyOf("base")).status?.counts?.exempted === 1);
    expect((await policyOf("base")).status?.counts?.violating).toBe(0);
    const { stdout } = await kubectl(["get", "shieldexception", "let-bad", "-o", "json"]);
    expect(JSON.parse(stdout).status.policies).toMatchObject([
      { name: "base", honoured: true },
      { name: "gone", honoured: false },
    ]);
    await waitFor(
      "back after the exception's end",
      async () => (await policyOf("base")).status?.counts?.violating === 1,
      { timeoutMs: 30_000 },
    );
    await kubectl(["delete", "pod", "bad", "--force", "--grace-period=0"]);
    await waitFor("none", async () => (await policyOf("base")).status?.counts?.violating === 0);
  });

  it("writes nothing while nothing changes", async () => {
    const version = async () => (await policyOf("base")).metadata.resourceVersion;
    const before = await version();
    const at = performance.now();
    await waitFor("five quiet seconds", () => performance.now() - at > 5000);
    expect(await version()).toBe(before);
  });
});
