// What the charts render, on a real API server: taken to the last field, applied twice without a change, and closed to
// those who must not weaken it.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ChartName, objectsOf, renderChart } from "../../shieldx/chart.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { installManifestPath } from "../../shieldx/install-manifest.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  replicaLimit,
  restrictedPod,
  tryCreate,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const namespace = "shieldx-system";
const values = (chart: ChartName): Record<string, string>[] =>
  chart === "shieldx"
    ? [
        {},
        {
          "namespace.create": "true",
          "agentsNamespace.create": "true",
          "crds.openReports": "true",
          "crds.keep": "false",
          "rbac.paramKinds[0].apiGroup": "rules.example.com",
          "rbac.paramKinds[0].resources": "{replicalimits}",
          "rbac.auditedKinds[0].resources": "{services}",
          "rbac.auditedKinds[0].apiGroup": "",
          "networkPolicy.metricsFrom[0].podSelector.matchLabels.app": "prometheus",
          "image.digest": `sha256:${"0".repeat(64)}`,
          "image.pullSecrets[0].name": "registry",
          "operator.podDisruptionBudget.maxUnavailable": "50%",
          "operator.nodeSelector.disk": "fast",
          "webhooks.tolerations[0].operator": "Exists",
          "webhooks.podAnnotations.note": "read",
        },
        { "webhooks.url": "https://127.0.0.1:9443", "webhooks.probeUrl": "https://127.0.0.1:9444" },
      ]
    : [
        { "restricted.enabled": "true" },
        {
          namePrefix: "payments-",
          "baseline.action": "deny",
          "baseline.namespaceSelector.matchLabels.team": "payments",
          "baseline.exemptions.namespaces": "{storage}",
          "baseline.exemptions.usernames": '{system:serviceaccount:ci:o"brien}',
          "baseline.exemptions.runtimeClassNames": "{gvisor}",
          "baseline.exceptions.namespaces.names": "{payments}",
        },
      ];

let cluster: Cluster;
let shieldx: ShieldxOnHost | undefined;

beforeAll(async () => {
  cluster = await startCluster({ name: "objects" });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const kubectl = (args: string[], input?: string): Promise<string> => mustKubectl(cluster, args, input);

describe("charts/install.yaml", () => {
  const applyAll = (): Promise<string> => kubectl(["apply", "--server-side", "-f", installManifestPath]);
  const versions = async (): Promise<string> =>
    kubectl([
      "get",
      "-f",
      installManifestPath,
      "-o",
      "custom-columns=:kind,:metadata.name,:metadata.generation,:spec,:webhooks,:rules",
    ]);

  it("applies to an empty cluster, and applying it again changes nothing", async () => {
    const applied = await applyAll();
    const objects = objectsOf(await readFile(installManifestPath, "utf8"));
    expect(applied.trim().split("\n")).toHaveLength(objects.length);
    // What the operator would fill in later is not ours to take away again.
    const caBundle = Buffer.from("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").toString(
      "base64",
    );
    const bundle = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "shieldx-kinds" },
      webhooks: ["kinds.shieldx.io", "probe.shieldx.io"].map((name) => ({
        name,
        clientConfig: { caBundle },
      })),
    };
    const asOperator = ["apply", "--server-side", "--field-manager=shieldx-webhook-configuration", "-f", "-"];
    await kubectl(asOperator, JSON.stringify(bundle)).catch(() => undefined);
    await kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    const before = await versions();
    await applyAll();
    expect(await versions()).toBe(before);
    expect((await cluster.kubectl(["diff", "--server-side", "-f", installManifestPath])).stdout).toBe("");
  });
});

describe.each(["shieldx", "shieldx-policies"] as const)("every object of the chart %s", (chart) => {
  it.each(values(chart))("is taken by the server, strictly, with %j", async (given) => {
    const rendered = await renderChart(given, namespace, { chart });
    const flags = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
    const { code, stdout, stderr } = await cluster.kubectl(["apply", ...flags], { input: rendered });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toHaveLength(objectsOf(rendered).length);
  });

  it("would not be taken with a field nobody knows", async () => {
    const rendered = (await renderChart({}, namespace, { chart })).replaceAll(
      /^spec:$/gm,
      "spec:\n  unknownField: 1",
    );
    const flags = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
    const { code, stderr } = await cluster.kubectl(["apply", ...flags], { input: rendered });
    expect(code).not.toBe(0);
    expect(stderr).toContain("unknownField");
  });
});

describe("people's roles", () => {
  const tenant = "tenant@example.org";
  const policy = podSecurityPolicy("baseline-pods", { exceptions: { namespaces: { names: ["team"] } } });
  const exception: Manifest = {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name: "mine", namespace: "team" },
    spec: {
      policies: ["baseline-pods"],
      owner: tenant,
      reason: "because I would like to be exempt from this",
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      match: { kinds: ["Pod"], names: ["mine"] },
    },
  };

  /** Whether the person may, by trying it for real (as a dry run). */
  async function may(person: string, args: string[], input?: object): Promise<boolean> {
    const options = input === undefined ? {} : { input: JSON.stringify(input) };
    const { code, stderr } = await cluster.kubectl([...args, `--as=${person}`], options);
    if (code !== 0 && !/forbidden/i.test(stderr)) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return code === 0;
  }
  const create = ["create", "--dry-run=server", "-f", "-"];

  beforeAll(async () => {
    const chartValues = { "rbac.paramKinds[0].resources": "{configmaps}", "rbac.paramKinds[0].apiGroup": "" };
    shieldx = await startShieldxOnHost(cluster, { chartValues });
    await enforce(cluster, policy);
    await kubectl(["create", "namespace", "team"]);
    for (const role of ["view", "edit", "admin"]) {
      await kubectl([
        "create",
        "rolebinding",
        role,
        "-n",
        "team",
        `--clusterrole=${role}`,
        `--user=${role}@example.org`,
      ]);
    }
    for (const role of ["view", "editor", "approver"]) {
      await kubectl([
        "create",
        "clusterrolebinding",
        `x-${role}`,
        `--clusterrole=shieldx-${role}`,
        `--user=shieldx-${role}`,
      ]);
    }
  });

  it.each(["edit", "admin"])(
    "let a tenant with %s read exceptions, and neither change a policy nor exempt himself",
    async (role) => {
      const person = `${role}@example.org`;
      expect(await may(person, ["get", "shieldexceptions", "-n", "team"])).toBe(true);
      expect(await may(person, create, restrictedPod("good", {}, "team"))).toBe(true);
      const attempts: [string[], object?][] = [
        [create, { ...policy, metadata: { name: "another" } }],
        [create, exception],
        [
          [
            "patch",
            "shieldpolicy",
            "baseline-pods",
            "--type=merge",
            "-p",
            '{"spec":{"actions":{"admission":"warn"}}}',
            "--dry-run=server",
          ],
        ],
        [["delete", "shieldpolicy", "baseline-pods", "--dry-run=server"]],
        [["label", "namespace", "team", "exempt=true", "--dry-run=server"]],
        [["delete", "validatingwebhookconfiguration", "shieldx-policies-fail", "--dry-run=server"]],
        [["get", "secret", "shieldx-webhooks-ca", "-n", namespace]],
        [["scale", "deployment", "shieldx-operator", "--replicas=0", "-n", namespace, "--dry-run=server"]],
        [["delete", "lease", "shieldx-operator", "-n", namespace, "--dry-run=server"]],
        [create, restrictedPod("mine", {}, namespace)],
      ];
      for (const [args, input] of attempts)
        expect([args, await may(person, args, input)]).toEqual([args, false]);
    },
  );

  it("let the editor write policies but no exceptions, and the approver the reverse", async () => {
    const asked = async (person: string): Promise<boolean[]> => [
      await may(person, create, { ...policy, metadata: { name: "another" } }),
      await may(person, ["delete", "shieldpolicy", "baseline-pods", "--dry-run=server"]),
      await may(person, create, exception),
      await may(person, ["get", "shieldpolicies"]),
      await may(person, ["get", "secrets", "-n", namespace]),
      await may(person, ["delete", "validatingadmissionpolicies", "--all", "--dry-run=server"]),
    ];
    expect(await asked("shieldx-editor")).toEqual([true, true, false, true, false, false]);
    expect(await asked("shieldx-approver")).toEqual([false, false, true, true, false, false]);
    expect(await asked("shieldx-view")).toEqual([false, false, false, true, false, false]);
  });

  it("let nobody escape into a namespace with a name of ours that nobody holds", async () => {
    await kubectl(["create", "clusterrole", "makes-namespaces", "--verb=create", "--resource=namespaces"]);
    await kubectl([
      "create",
      "clusterrolebinding",
      "makes-namespaces",
      "--clusterrole=makes-namespaces",
      "--user=admin@example.org",
    ]);
    await kubectl(["create", "namespace", "shieldx-agents", "--as=admin@example.org"]);
    const refused = await tryCreate(
      cluster,
      restrictedPod("escaped", { hostNetwork: true }, "shieldx-agents"),
    );
    expect(refused).toMatchObject({
      allowed: false,
      message: expect.stringContaining('ShieldPolicy "baseline-pods"'),
    });
  });

  it("let a policy take its parameters from a kind the chart was told about, and from no other", async () => {
    const limited = (kind: string): Manifest =>
      replicaLimit("replica-limit", {
        paramKind: { apiVersion: "v1", kind },
        paramRef: { name: "limits", namespace: "default", parameterNotFoundAction: "Deny" },
        validations: [{ expression: "object.spec.replicas <= int(params.data.max)" }],
      });
    await kubectl(["create", "configmap", "limits", "-n", "default", "--from-literal=max=3"]);
    await enforce(cluster, limited("ConfigMap"));
    const scaled = (replicas: string): Promise<boolean> =>
      cluster
        .kubectl(["create", "deployment", "x", "--image=x", `--replicas=${replicas}`, "--dry-run=server"])
        .then(({ code }) => code === 0);
    await waitFor("4 replicas refused", async () => !(await scaled("4")));
    expect(await scaled("3")).toBe(true);
    await kubectl(["delete", "shieldpolicy", "replica-limit"]);
    const refused = await apply(cluster, limited("Secret"));
    expect(refused).toMatchObject({ allowed: false, message: expect.stringContaining("paramKind") });
  });
});
