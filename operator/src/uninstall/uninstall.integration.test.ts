import { type Cluster, startCluster } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { parseAllDocuments } from "yaml";
import { renderChart } from "../../../e2e/shieldx/chart.ts";
import { main } from "./main.ts";

const namespace = "shieldx-system";
let cluster: Cluster;
let kubeconfig: string;

beforeAll(async () => {
  cluster = await startCluster();
  await kubectl(["create", "namespace", namespace]);
  // The hook's own ServiceAccount and roles, without its Job, its NetworkPolicy and the rest of the chart. An operator
  // that was switched off leaves what it made, so the hook is there without one, too.
  const objects = parseAllDocuments(await renderChart({ "operator.enabled": "false" }))
    .map((document) => document.toJS() as Rendered | null)
    .filter(
      (object) =>
        object?.metadata.name === "shieldx-uninstall" && !["Job", "NetworkPolicy"].includes(object.kind),
    );
  expect(objects).toHaveLength(5);
  await create(...objects);
  kubeconfig = await cluster.serviceAccountKubeconfig(namespace, "shieldx-uninstall");
});
afterAll(async () => {
  await cluster?.stop();
});

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

async function kubectl(args: string[], input?: object): Promise<string> {
  const options = input === undefined ? {} : { input: JSON.stringify(input) };
  const { code, stdout, stderr } = await cluster.kubectl(args, options);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function create(...items: unknown[]): Promise<void> {
  await kubectl(["create", "-f", "-"], { apiVersion: "v1", kind: "List", items });
}

async function names(): Promise<string[]> {
  const enforcing =
    "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings," +
    "mutatingwebhookconfigurations,mutatingadmissionpolicies,mutatingadmissionpolicybindings";
  const state = await kubectl(["get", "secrets,leases,configmaps", "-n", namespace, "-o", "name"]);
  const found = `${await kubectl(["get", enforcing, "-o", "name"])}${state}`.trim().split("\n").sort();
  // Kubernetes puts it into every namespace.
  return found.filter((name) => name !== "configmap/kube-root-ca.crt");
}

const ours = { "app.kubernetes.io/managed-by": "shieldx-operator" };
const webhooks = { "app.kubernetes.io/component": "webhooks", "app.kubernetes.io/part-of": "shieldx" };
const api = "admissionregistration.k8s.io/v1";

function webhookConfiguration(name: string, metadata: object): object {
  return {
    apiVersion: api,
    kind: "ValidatingWebhookConfiguration",
    metadata: { name, ...metadata },
    webhooks: [],
  };
}

function admissionPolicy(name: string, labels: object): object[] {
  const metadata = { name, labels };
  return [
    {
      apiVersion: api,
      kind: "ValidatingAdmissionPolicy",
      metadata,
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
          ],
        },
        validations: [{ expression: "true" }],
      },
    },
    {
      apiVersion: api,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata,
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}

function mutatingPolicy(name: string, labels: object): object[] {
  const metadata = { name, labels };
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  const spec = {
    matchConstraints: { resourceRules: [rule] },
    mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{}" } }],
    reinvocationPolicy: "Never",
  };
  return [
    { apiVersion: api, kind: "MutatingAdmissionPolicy", metadata, spec },
    { apiVersion: api, kind: "MutatingAdmissionPolicyBinding", metadata, spec: { policyName: name } },
  ];
}

function inOwnNamespace(apiVersion: string, kind: string, name: string, labels: object = {}): object {
  return { apiVersion, kind, metadata: { name, namespace, labels } };
}

const somebodyElses = [
  "configmap/theirs",
  "lease.coordination.k8s.io/theirs",
  "mutatingadmissionpolicy.admissionregistration.k8s.io/theirs",
  "mutatingadmissionpolicybinding.admissionregistration.k8s.io/theirs",
  "secret/theirs",
  "validatingadmissionpolicy.admissionregistration.k8s.io/theirs",
  "validatingadmissionpolicybinding.admissionregistration.k8s.io/theirs",
  "validatingwebhookconfiguration.admissionregistration.k8s.io/theirs",
];

beforeEach(async () => {
  await kubectl(["delete", "validatingwebhookconfigurations,validatingadmissionpolicies", "--all"]);
  await kubectl(["delete", "validatingadmissionpolicybindings,mutatingwebhookconfigurations", "--all"]);
  await kubectl(["delete", "mutatingadmissionpolicies,mutatingadmissionpolicybindings", "--all"]);
  await kubectl(["delete", "secrets,leases,configmaps", "--all", "-n", namespace]);
  await create(
    webhookConfiguration("shieldx-policies-fail", { labels: ours }),
    { ...webhookConfiguration("shieldx-mutations", { labels: ours }), kind: "MutatingWebhookConfiguration" },
    ...admissionPolicy("shieldx-few-replicas", ours),
    ...mutatingPolicy("shieldx-labels", ours),
    inOwnNamespace("v1", "Secret", "shieldx-webhooks-ca"),
    inOwnNamespace("v1", "Secret", "shieldx-webhooks-tls"),
    inOwnNamespace("v1", "ConfigMap", "shieldx-findings"),
    inOwnNamespace("coordination.k8s.io/v1", "Lease", "shieldx-operator"),
    inOwnNamespace("coordination.k8s.io/v1", "Lease", "shieldx-webhooks-of-a-dead-pod", webhooks),
    webhookConfiguration("theirs", {}),
    ...admissionPolicy("theirs", {}),
    ...mutatingPolicy("theirs", {}),
    inOwnNamespace("v1", "Secret", "theirs"),
    inOwnNamespace("v1", "ConfigMap", "theirs"),
    inOwnNamespace("coordination.k8s.io/v1", "Lease", "theirs"),
  );
});

async function run(...args: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await main([...args, "--log-level=fatal"]).finally(() => stderr.mockRestore());
  return { code, said };
}

describe("shieldx uninstall, with the rights of the chart's hook", () => {
  it("removes what the operator made and nothing else", async () => {
    expect(await run("--kubeconfig", kubeconfig)).toEqual({ code: 0, said: "" });
    expect(await names()).toEqual(somebodyElses);
  });

  it("has nothing to do a second time", async () => {
    await run("--kubeconfig", kubeconfig);
    expect(await run("--kubeconfig", kubeconfig)).toEqual({ code: 0, said: "" });
  });

  it("stops operator and webhooks first", async () => {
    for (const name of ["shieldx-operator", "shieldx-webhooks"]) {
      await kubectl(["create", "deployment", name, "-n", namespace, "--image=none", "--replicas=1"]);
    }
    expect(await run("--kubeconfig", kubeconfig)).toEqual({ code: 0, said: "" });
    const replicas = ["get", "deployments", "-n", namespace, "-o", "jsonpath={.items[*].spec.replicas}"];
    expect(await kubectl(replicas)).toBe("0 0");
  });

  it("fails, naming it, when something that enforces does not go", async () => {
    const held = "shieldx-policies-ignore";
    await create(webhookConfiguration(held, { labels: ours, finalizers: ["example.org/hold"] }));
    const { code, said } = await run("--kubeconfig", kubeconfig, "--timeout", "1");
    expect(code).toBe(1);
    expect(said).toContain(`validatingwebhookconfigurations/${held}`);
    const unlock = '{"metadata":{"finalizers":null}}';
    await kubectl(["patch", "validatingwebhookconfiguration", held, "--type=merge", "-p", unlock]);
  });

  it("says in one line what is wrong with its flags or its cluster", async () => {
    expect(await run("--timeout", "soon")).toEqual({
      code: 1,
      said: "shieldx uninstall: --timeout soon: must be whole seconds, 1 to 9999\n",
    });
    expect((await run("--what")).said).toMatch(/^shieldx uninstall: .*--what.*\(see --help\)\n$/);
    const missing = await run("--kubeconfig", "/nonexistent/kubeconfig");
    expect(missing.code).toBe(1);
    expect(missing.said).toMatch(/^shieldx uninstall: .*\/nonexistent\/kubeconfig.*\n$/);
  });
});
