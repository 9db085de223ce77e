import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildRegoCompiler, type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, read, tryCreate, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** What policies in Rego look at beside the request: objects of the cluster, and parameters. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let compiler: string;

interface WithConditions {
  readonly status?: {
    readonly conditions?: readonly { readonly reason: string; readonly message: string }[];
  };
}

beforeAll(async () => {
  [compiler, cluster] = await Promise.all([buildRegoCompiler(), startCluster({ name: "inventory" })]);
  shieldx = await startShieldxOnHost(cluster, {
    args: [`--rego-compiler=${compiler}`],
    chartValues: {
      "rbac.inventoryKinds[0].apiGroup": "networking.k8s.io",
      "rbac.inventoryKinds[0].resources": "{ingresses}",
      "rbac.auditedKinds[0].apiGroup": "networking.k8s.io",
      "rbac.auditedKinds[0].resources": "{ingresses}",
      "rbac.paramKinds[0].resources": "{configmaps}",
      "rbac.paramKinds[0].apiGroup": "",
    },
  });
  for (const each of ["a", "b"])
    await apply(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name: each } });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
  for (const namespace of ["a", "b"])
    await cluster.kubectl(["delete", "ingresses", "--all", "--wait=true", "-n", namespace]);
});

/** As Gatekeeper's library has it: k8suniqueingresshost. */
const uniqueHosts = `package k8suniqueingresshost

identical(obj, review) {
  obj.metadata.namespace == review.object.metadata.namespace
  obj.metadata.name == review.object.metadata.name
}

violation[{"msg": msg}] {
  host := input.review.object.spec.rules[_].host
  other := data.inventory.namespace[_][otherapiversion]["Ingress"][name]
  re_match("^(extensions|networking.k8s.io)/.+$", otherapiversion)
  other.spec.rules[_].host == host
  not identical(other, input.review)
  msg := sprintf("ingress host conflicts with an existing ingress <%v>", [host])
}
`;
const ingresses = { apiVersion: "networking.k8s.io/v1", kind: "Ingress" };

function uniquePolicy(spec: Manifest = {}, rego: Manifest = {}): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "unique-hosts" },
    spec: {
      engine: "rego",
      rego: { module: uniqueHosts, version: "v0", inventory: [ingresses], ...rego },
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ["networking.k8s.io"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["ingresses"],
          },
        ],
      },
      actions: { admission: "deny" },
      ...spec,
    },
  };
}

const ingress = (where: string, named: string, host: string): Manifest => ({
  ...ingresses,
  metadata: { name: named, namespace: where },
  spec: {
    defaultBackend: { service: { name: "web", port: { number: 80 } } },
    rules: [{ host }],
  },
});
const conflict = "ingress host conflicts with an existing ingress <shop.example.com>";

describe("a policy that looks at other objects", () => {
  it("refuses by what is there when a request comes, and by nothing that is gone", async () => {
    await apply(cluster, ingress("a", "shop", "shop.example.com"));
    await enforce(cluster, uniquePolicy());
    expect((await tryCreate(cluster, ingress("b", "web", "shop.example.com"))).message).toContain(conflict);
    expect((await tryCreate(cluster, ingress("b", "web", "web.example.com"))).allowed).toBe(true);
    // Itself is no other.
    expect((await tryCreate(cluster, ingress("a", "shop", "shop.example.com"))).message).not.toContain(
      conflict,
    );
    await apply(cluster, ingress("a", "shop", "old.example.com"));
    await waitFor(
      "free",
      async () => (await tryCreate(cluster, ingress("b", "web", "shop.example.com"))).allowed,
    );
    await apply(cluster, ingress("b", "second", "new.example.com"));
    await waitFor("taken", async () =>
      (await tryCreate(cluster, ingress("a", "web", "new.example.com"))).message?.includes("conflicts"),
    );
    await cluster.kubectl(["delete", "ingress", "second", "-n", "b"]);
    await waitFor(
      "free again",
      async () => (await tryCreate(cluster, ingress("a", "web", "new.example.com"))).allowed,
    );
  });

  it("has everything from the first request on that a replica answers", async () => {
    await apply(cluster, ingress("a", "shop", "shop.example.com"));
    await enforce(cluster, uniquePolicy());
    await shieldx.webhooks.at(-1)?.stop();
    await shieldx.startWebhooks();
    expect((await tryCreate(cluster, ingress("b", "web", "shop.example.com"))).message).toContain(conflict);
  });

  it("audits what exists again whenever something it looks at changes", async () => {
    await apply(cluster, ingress("a", "shop", "shop.example.com"));
    await apply(cluster, ingress("b", "shop", "shop.example.com"));
    await enforce(cluster, uniquePolicy({ actions: { admission: "off", background: "audit" } }));
    const violating = async () =>
      (await read<{ status?: { counts?: { violating?: number } } }>(cluster, "shieldpolicy", "unique-hosts"))
        ?.status?.counts?.violating;
    await waitFor("both found", async () => (await violating()) === 2, { timeoutMs: 30_000 });
    // The one that changes is not the only one that is well then.
    await apply(cluster, ingress("b", "shop", "other.example.com"));
    await waitFor("none left", async () => (await violating()) === 0, { timeoutMs: 30_000 });
  });

  it("decides nothing while it may not look, and says what to do", async () => {
    const services = { apiVersion: "v1", kind: "Service" };
    const policy = uniquePolicy({ failurePolicy: "Fail" }, { inventory: [ingresses, services] });
    expect(await apply(cluster, policy)).toMatchObject({ allowed: true });
    const told = await waitFor("told", async () => {
      const policy = await read<WithConditions>(cluster, "shieldpolicy", "unique-hosts");
      return policy?.status?.conditions?.find(({ reason }) => reason === "MissingRights");
    });
    expect(told.message).toContain("ShieldX may not read services: set rbac.inventoryKinds of the chart");
    expect((await tryCreate(cluster, ingress("a", "web", "x.example.com"))).message).toContain(
      "data.inventory: ShieldX may not read services",
    );
    await cluster.kubectl(["create", "clusterrole", "see", "--verb=list,watch", "--resource=services"]);
    await cluster.kubectl([
      ...["create", "clusterrolebinding", "see", "--clusterrole=see"],
      ...["operator", "webhooks"].map((each) => `--serviceaccount=shieldx-system:shieldx-${each}`),
    ]);
    await untilCondition(cluster, ["shieldpolicy", "unique-hosts"], "Ready", "True");
    expect((await tryCreate(cluster, ingress("a", "web", "x.example.com"))).allowed).toBe(true);
  });

  it("must pass its tests with the objects they bring", async () => {
    const tests = [
      {
        name: "taken",
        object: ingress("b", "web", "shop.example.com"),
        inventory: [ingress("a", "shop", "shop.example.com")],
        expect: { decision: "deny", message: conflict },
      },
      {
        name: "free",
        object: ingress("b", "web", "shop.example.com"),
        expect: { decision: "allow" },
      },
    ];
    await enforce(cluster, uniquePolicy({ tests }));
    const wrong = uniquePolicy({ tests: [{ ...tests[0], inventory: [] }] });
    expect(await apply(cluster, wrong)).toMatchObject({
      allowed: false,
      message: expect.stringContaining('case "taken": expected it to be denied'),
    });
  });

  it("is checked in files against the objects that are among them", async () => {
    const folder = await mkdtemp(join(tmpdir(), "inventory-check-"));
    const [policies, objects] = [join(folder, "policy.json"), join(folder, "objects.json")];
    await writeFile(policies, JSON.stringify(uniquePolicy()));
    const items = [ingress("a", "shop", "shop.example.com"), ingress("b", "web", "shop.example.com")];
    await writeFile(objects, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
    const args = [shieldctl, "policy", "check", "-f", objects, "--policies", policies];
    const env = { SHIELDX_REGO_COMPILER: compiler, PATH: process.env.PATH ?? "" };
    const { code, stdout } = await runCommand(process.execPath, args, { env });
    expect(stdout.split(conflict)).toHaveLength(3);
    expect(code).toBe(1);
    await rm(folder, { recursive: true });
  });
});

describe("parameters of a policy in Rego", () => {
  const module = `package shieldx

deny contains msg if {
  some rule in input.request.object.spec.rules
  not endswith(rule.host, input.parameters.data.domain)
  msg := sprintf("host %s is not below %s", [rule.host, input.parameters.data.domain])
}
`;
  const policy = (parameterNotFoundAction: string) =>
    uniquePolicy({
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "hosts", parameterNotFoundAction },
      rego: { module },
      actions: { admission: "deny", background: "audit" },
    });
  const domain = (where: string, value: string): Manifest => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "hosts", namespace: where },
    data: { domain: value },
  });

  it("are those of the request's namespace, as they are now", async () => {
    await apply(cluster, domain("a", ".example.com"));
    await enforce(cluster, policy("Allow"));
    const web = ingress("a", "web", "web.example.org");
    expect((await tryCreate(cluster, web)).message).toContain(
      "host web.example.org is not below .example.com",
    );
    expect((await tryCreate(cluster, ingress("b", "web", "web.example.org"))).allowed).toBe(true);
    await apply(cluster, domain("a", ".example.org"));
    await waitFor("followed", async () => (await tryCreate(cluster, web)).allowed);
    await enforce(cluster, policy("Deny"));
    expect((await tryCreate(cluster, ingress("b", "web", "web.example.org"))).message).toContain(
      "no params found",
    );
  });
});
