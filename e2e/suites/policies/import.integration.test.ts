import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildRegoCompiler, type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, type Manifest, replicaLimit, tryCreate, untilCondition } from "../../shieldx/objects.ts";

/** What `shieldctl policy import` writes is applied with kubectl and does what the original did. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let compiler: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "import-"));
  [compiler, cluster] = await Promise.all([buildRegoCompiler(), startCluster({ name: "policy-import" })]);
  shieldx = await startShieldxOnHost(cluster, { args: [`--rego-compiler=${compiler}`] });
  for (const name of ["shop", "shop-test"])
    await apply(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;

/** Imports what stands there, and applies it; returns what kubectl knows the policies by. */
async function migrate(text: string): Promise<string[]> {
  const from = join(folder, "theirs");
  const to = join(folder, "ours");
  for (const each of [from, to]) await rm(each, { recursive: true, force: true });
  await mkdir(from);
  await writeFile(join(from, "policies.yaml"), text);
  const args = [
    shieldctl,
    "policy",
    "import",
    from,
    "--output",
    to,
    "--rego-compiler",
    compiler,
    "--fail-on",
    "lost",
  ];
  const imported = await runCommand(process.execPath, args, { env: { PATH: process.env.PATH ?? "" } });
  expect(imported.code, imported.stderr).toBe(0);
  const applied = await cluster.kubectl(["apply", "-f", to]);
  expect(applied.code, applied.stderr).toBe(0);
  const names = (await readdir(to)).map((file) => file.replace(".yaml", "")).sort();
  for (const name of names) await untilCondition(cluster, ["shieldpolicy", name], "Ready", "True");
  return names;
}

const configMap = (namespace: string, labels: Record<string, string> = {}): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", namespace, labels },
});
const deployment = (image: string, namespace = "shop"): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "a", namespace },
  spec: {
    selector: { matchLabels: { app: "a" } },
    template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "a", image }] } },
  },
});

const gatekeeper = `
apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: k8srequiredlabels}
spec:
  crd:
    spec:
      names: {kind: K8sRequiredLabels}
      validation:
        openAPIV3Schema:
          type: object
          properties:
            note: {type: string, default: "ask the platform team"}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package k8srequiredlabels

        import data.lib.words

        violation[{"msg": msg}] {
          wanted := input.parameters.labels[_]
          not input.review.object.metadata.labels[wanted]
          msg := words.sentence(wanted, input.parameters.note)
        }
      libs:
        - |
          package lib.words

          sentence(name, note) = text {
            text := sprintf("label it with <%v>; %v", [name, note])
          }
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sRequiredLabels
metadata: {name: owned-config}
spec:
  match:
    kinds: [{apiGroups: [""], kinds: [ConfigMap]}]
    excludedNamespaces: ["*-test"]
  parameters:
    labels: [owner]
`;

it("enforces a constraint of a template with libs, defaults and globs, by its own words", async () => {
  expect(await migrate(gatekeeper)).toEqual(["owned-config"]);
  const refused = await tryCreate(cluster, configMap("shop"));
  expect(refused.allowed).toBe(false);
  expect(refused.message).toContain("label it with <owner>; ask the platform team");
  expect(await tryCreate(cluster, configMap("shop", { owner: "me" }))).toMatchObject({ allowed: true });
  expect(await tryCreate(cluster, configMap("shop-test"))).toMatchObject({ allowed: true });
  await cluster.kubectl(["delete", "shieldpolicies", "--all"]);
});

const kyverno = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: no-latest}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  validations:
    - expression: object.spec.containers.all(c, !c.image.endsWith(':latest'))
      message: name a version
`;

it("enforces a Kyverno policy about Pods on what makes them, too", async () => {
  expect(await migrate(kyverno)).toEqual(["no-latest", "no-latest-controllers", "no-latest-cronjobs"]);
  const refused = await tryCreate(cluster, deployment("docker.io/app:latest"));
  expect(refused.allowed).toBe(false);
  expect(refused.message).toContain("name a version");
  expect(await tryCreate(cluster, deployment("docker.io/app:1"))).toMatchObject({ allowed: true });
  expect(await tryCreate(cluster, deployment("docker.io/app:latest", "shop-test"))).toMatchObject({
    allowed: true,
  });
  await cluster.kubectl(["delete", "shieldpolicies", "--all"]);
});

const mutating = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: teams}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: "Object{metadata: Object.metadata{labels: {'team': 'none'}}}"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: teams-in-shop}
spec:
  policyName: teams
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
`;

it("changes objects as a MutatingAdmissionPolicy did", async () => {
  expect(await migrate(mutating)).toEqual(["teams"]);
  const created = async (namespace: string) => {
    const args = ["create", "--dry-run=server", "-o", "jsonpath={.metadata.labels.team}", "-f", "-"];
    return (await cluster.kubectl(args, { input: JSON.stringify(configMap(namespace)) })).stdout;
  };
  expect(await created("shop")).toBe("none");
  expect(await created("shop-test")).toBe("");
});

it("tells what new policies would decide otherwise than those of the cluster", async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all"]);
  const limit = (most: number): Manifest => replicaLimit("few", { validations: rule(most) });
  const rule = (most: number) => [
    { expression: `object.spec.replicas <= ${most}`, message: `at most ${most}` },
  ];
  await apply(cluster, limit(5));
  const records = join(folder, "records.jsonl");
  const planned = join(folder, "planned.yaml");
  const object = { ...deployment("docker.io/app:1"), spec: { replicas: 4 } };
  const request = {
    uid: "1",
    kind: { group: "apps", version: "v1", kind: "Deployment" },
    resource: { group: "apps", version: "v1", resource: "deployments" },
    name: "a",
    namespace: "shop",
    operation: "CREATE",
    userInfo: { username: "ann" },
    object,
  };
  await writeFile(
    records,
    JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request }),
  );
  await writeFile(planned, JSON.stringify(limit(3)));
  const args = [shieldctl, "policy", "replay", records, "--cluster", "--new", planned];
  const env = { KUBECONFIG: cluster.kubeconfig, PATH: process.env.PATH ?? "" };
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { env });
  expect(code, stderr).toBe(1);
  expect(stdout).toMatch(/CREATE Deployment shop\/a +allowed -> denied +\+ .*at most 3/);
});
