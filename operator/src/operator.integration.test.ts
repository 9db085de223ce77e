import { readFile } from "node:fs/promises";
import { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAMESPACE, startTestBed, type TestBed, waitFor } from "./cluster.test-kit.ts";
import { ShieldPolicyType } from "./kinds.ts";

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
  let bed: TestBed;
  const isDenied = async (level: string) => {
    const { code, stderr } = await bed.kubectl(["create", "--dry-run=server", "-f", "-"], configMap(level));
    return code !== 0 && stderr.includes("data.level must be low");
  };
  const policyOf = (name: string) => bed.admin.get(ShieldPolicyType, { name });
  const condition = async (name: string, type: string) => {
    const found = (await policyOf(name)).status?.conditions?.find((item) => item.type === type);
    return `${found?.status} ${found?.reason}`;
  };
  const vap = (name: string) => bed.admin.find(ValidatingAdmissionPolicy, { name: `shieldx-${name}` });

  beforeAll(async () => {
    bed = await startTestBed({ name: "operator", audit: true });
    await bed.startOperator();
  });
  afterAll(async () => {
    await bed?.stop();
  });

  it("renders a cel policy, and a bad object is refused", async () => {
    await bed.apply(celPolicy("low-only", "object.data.level == 'low'"));
    await waitFor("high is refused", () => isDenied("high"));
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

  it("has a change in force soon", async () => {
    await bed.apply(celPolicy("low-only", "object.data.level == 'medium'"));
    const changedAt = performance.now();
    await waitFor("low is refused now", () => isDenied("low"));
    console.log("change in force after ms", performance.now() - changedAt);
    expect(await isDenied("medium")).toBe(false);
  });

  it("restores what was tampered with or deleted, and says so", async () => {
    const before = (await vap("low-only"))?.spec;
    await bed.kubectl([
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
    );
    console.log("expression restored after ms", performance.now() - at);

    await bed.kubectl([
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
    );
    console.log("added field removed after ms", performance.now() - at);

    await bed.kubectl(["delete", "validatingadmissionpolicybinding", "shieldx-low-only"]);
    at = performance.now();
    await waitFor(
      "binding is back",
      async () =>
        (await bed.admin.find(ValidatingAdmissionPolicyBinding, { name: "shieldx-low-only" })) !== undefined,
    );
    console.log("binding back after ms", performance.now() - at);

    // A finalizer of somebody else's would let him say when the object goes: it is taken off again.
    const target = ["validatingadmissionpolicy", "shieldx-low-only"];
    const held = { metadata: { finalizers: ["example.org/hold"] } };
    await bed.kubectl(["patch", ...target, "--type=merge", "-p", JSON.stringify(held)]);
    await waitFor(
      "the finalizer is gone",
      async () => (await vap("low-only"))?.metadata.finalizers === undefined,
    );
    await bed.kubectl(["delete", ...target, "--wait=false"]);
    await waitFor("the policy is back", async () => {
      const found = await vap("low-only");
      return found !== undefined && found.metadata.deletionTimestamp === undefined;
    });
    const metrics = await bed.registry.getSingleMetricAsString("shieldx_tampering_restored_total");
    expect(metrics).toContain('kind="ValidatingAdmissionPolicy"} 4');
    expect(metrics).toContain('kind="ValidatingAdmissionPolicyBinding"} 1');
    await waitFor("an Event about the policy is written", async () => {
      const selector = "reason=TamperingRestored";
      const { stdout } = await bed.kubectl([
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
    await bed.apply(celPolicy("broken", "object.data.level =="));
    await waitFor(
      "refusal shown",
      async () => (await condition("broken", "Ready")) === "False RefusedByServer",
    );
    const enforced = (await policyOf("broken")).status?.conditions?.find(({ type }) => type === "Enforced");
    expect(enforced?.message).toMatch(/Syntax error/);
    await bed.apply(celPolicy("odd", "object.nosuchfield == 1"));
    await waitFor(
      "warning shown",
      async () => (await condition("odd", "Degraded")) === "True TypeCheckWarnings",
    );
  });

  it("renders nothing for a policy that is off, and leaves nothing behind", async () => {
    await bed.apply(celPolicy("odd", "true", { actions: { admission: "off" } }));
    await waitFor("rendered policy removed", async () => (await vap("odd")) === undefined);
    await waitFor("status says so", async () => (await condition("odd", "Enforced")) === "False ActionOff");
    await bed.kubectl(["delete", "shieldpolicy", "low-only", "odd", "broken"]);
    await waitFor(
      "nothing is left",
      async () =>
        (
          await bed.kubectl([
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
    const { stdout } = await bed.kubectl(["get", "secret", "-n", NAMESPACE, "-o", "name"]);
    expect(stdout).toContain("shieldx-webhooks-ca");
    expect(stdout).toContain("shieldx-webhooks-tls");
    await bed.apply(podSecurityPolicy("base", { exceptions: { namespaces: { names: ["default"] } } }));
    await waitFor(
      "waiting shown",
      async () => (await condition("base", "Enforced")) === "False WaitingForReplica",
    );
    expect((await bed.kubectl(["get", "validatingwebhookconfigurations", "-o", "name"])).stdout).toBe("");
  });

  it("puts the replicas' Secret back with no replica there to make it look", async () => {
    await bed.kubectl(["delete", "secret", "-n", NAMESPACE, "shieldx-webhooks-tls"]);
    await waitFor("the Secret is back", async () => {
      const { stdout } = await bed.kubectl(["get", "secret", "-n", NAMESPACE, "-o", "name"]);
      return stdout.includes("shieldx-webhooks-tls");
    });
  });

  it("audits what exists, incrementally", async () => {
    // Installed while the operator runs; it looks for it twice a minute, and the next test needs it.
    const crd = new URL("../../crds/third-party/openreports.io_reports.yaml", import.meta.url);
    await bed.kubectl(["apply", "--server-side", "-f", "-"], await readFile(crd, "utf8"));
    await bed.apply(pod("good", "default", false), pod("bad", "default", true));
    await waitFor("one offender", async () => (await policyOf("base")).status?.counts?.violating === 1);
    expect((await policyOf("base")).status?.worstOffenders).toEqual([
      { apiVersion: "v1", kind: "Pod", namespace: "default", name: "bad", violations: 1 },
    ]);
    await bed.apply({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "let-bad", namespace: "default" },
      spec: {
        policies: ["base", "gone"],
        owner: "team-a",
        reason: "for as long as the test lasts",
        expiresAt: new Date(Date.now() + 10_000).toISOString(),
        match: { names: ["bad"] },
      },
    });
    await waitFor("exempt", async () => (await policyOf("base")).status?.counts?.exempted === 1);
    expect((await policyOf("base")).status?.counts?.violating).toBe(0);
    const { stdout } = await bed.kubectl(["get", "shieldexception", "let-bad", "-o", "json"]);
    expect(JSON.parse(stdout).status.policies).toMatchObject([
      { name: "base", honoured: true },
      { name: "gone", honoured: false },
    ]);
    await waitFor(
      "back after the exception's end",
      async () => (await policyOf("base")).status?.counts?.violating === 1,
      30_000,
    );
    await bed.kubectl(["delete", "pod", "bad", "--force", "--grace-period=0"]);
    await waitFor("none", async () => (await policyOf("base")).status?.counts?.violating === 0);
  });

  it("keeps one report for each offending object while the Report kind is there", async () => {
    await bed.apply(pod("bad-1", "default", true), pod("bad-2", "default", true));
    const reports = async () => {
      const { stdout, code } = await bed.kubectl(["get", "reports.openreports.io", "-A", "-o", "json"]);
      return code === 0 ? (JSON.parse(stdout).items as Report[]) : [];
    };
    // The operator looks for a kind that was installed meanwhile twice a minute.
    const found = await waitFor(
      "two reports",
      async () => (await reports()).length === 2 && reports(),
      45_000,
    );
    const names = Array.isArray(found) ? found.map((report) => report.scope.name).sort() : [];
    expect(names).toEqual(["bad-1", "bad-2"]);
    await bed.kubectl(["delete", "pod", "bad-1", "--force", "--grace-period=0"]);
    await waitFor("one report", async () => (await reports()).length === 1);
    expect((await reports())[0]).toMatchObject({
      summary: { fail: 1 },
      results: [{ policy: "base", rule: "hostNamespaces", result: "fail" }],
    });
    await bed.apply(podSecurityPolicy("base", { podSecurity: { level: "privileged" } }));
    await waitFor("none once nothing offends", async () => (await reports()).length === 0);
  });

  it("writes nothing while nothing changes", async () => {
    const writes = async (): Promise<string[]> => {
      const lines = (await readFile(bed.cluster.auditLog ?? "", "utf8")).trim().split("\n");
      return lines
        .map((line) => JSON.parse(line) as AuditEvent)
        .filter(
          ({ stage, user }) => stage === "ResponseComplete" && user.username.endsWith(":shieldx-operator"),
        )
        .filter(({ verb, objectRef }) => WRITES.includes(verb) && objectRef?.resource !== "leases")
        .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name}`);
    };
    const startedAt = performance.now();
    let seen = await writes();
    expect(seen.length).toBeGreaterThan(10);
    let quietSince = performance.now();
    await waitFor(
      "ten quiet seconds",
      async () => {
        const now = await writes();
        if (now.length !== seen.length) quietSince = performance.now();
        seen = now;
        return performance.now() - quietSince > 10_000;
      },
      30_000,
    );
    console.log("quiet for ten seconds after ms", performance.now() - startedAt);
    expect(bed.failures).toEqual([]);
  });
});

const WRITES = ["create", "update", "patch", "delete"];
interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly name?: string };
}
interface Report {
  readonly scope: { readonly name: string };
}
