import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, read, replicaLimit, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Engine cel by the webhook, and audited: the same words as the API server's own, and its effects from outside. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "cel-policies" });
  shieldx = await startShieldxOnHost(cluster);
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

const inWebhook = (name: string, spec: Manifest = {}) =>
  replicaLimit(name, { evaluation: "Webhook", ...spec });
const about = (resources: string[], operations = ["CREATE"], apiGroup = "") => ({
  matchConstraints: {
    resourceRules: [{ apiGroups: [apiGroup], apiVersions: ["v1"], operations, resources }],
  },
});
const configMap = (name: string, namespace = "default"): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
});
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
const tolerating = (name: string, tolerationSeconds: string): Manifest => {
  const labels = { app: name };
  const toleration = { key: "a", operator: "Exists", effect: "NoExecute" };
  const spec = {
    tolerations: [{ ...toleration, tolerationSeconds: rawJSON(tolerationSeconds) }],
    containers: [{ name: "a", image: "none.invalid/none" }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
};
const createDeployment = async (replicas: number, ...flags: string[]) =>
  cluster.kubectl([
    ...["create", "deployment", "web", "--image=none.invalid/none", "--dry-run=server"],
    ...[`--replicas=${replicas}`, ...flags],
  ]);
interface Status {
  readonly status?: {
    readonly enforcedBy?: string;
    readonly loadedBy?: string;
    readonly counts?: { readonly checked?: number; readonly violating?: number };
    readonly worstOffenders?: readonly { readonly name: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}
const statusOf = async (name: string) => (await read<Status>(cluster, "shieldpolicy", name))?.status;

describe("a policy of engine cel with evaluation Webhook", () => {
  it("is enforced by the webhook alone, in the words of its message", async () => {
    await enforce(cluster, inWebhook("few"));
    expect(await statusOf("few")).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    expect((await createDeployment(5)).code).toBe(0);
    const { code, stderr } = await createDeployment(6);
    expect(code).toBe(1);
    expect(stderr).toContain('ShieldPolicy "few" refuses Deployment "default/web": at most 5 replicas');
    const native = await cluster.kubectl(["get", "validatingadmissionpolicies", "-o", "name"]);
    expect(native.stdout).not.toContain("shieldx-few");
  });

  it("says the same natively, and goes from one to the other and back without a gap", async () => {
    await enforce(cluster, inWebhook("few"));
    let open = 0;
    let asked = 0;
    let isOver = false;
    const watch = (async () => {
      while (!isOver) {
        asked++;
        if ((await createDeployment(9)).code === 0) open++;
      }
    })();
    for (const evaluation of ["Native", "Webhook", "Native"]) {
      await enforce(cluster, replicaLimit("few", { evaluation }));
      expect(await statusOf("few")).toMatchObject({ enforcedBy: evaluation });
    }
    isOver = true;
    await watch;
    console.log("requests while it changed hands", asked);
    expect(asked).toBeGreaterThan(3);
    expect(open).toBe(0);
    expect((await createDeployment(6)).stderr).toContain('ShieldPolicy "few": at most 5 replicas');
  });

  it("tells whole numbers beyond 2^53 apart, as the API server does, also of what exists", async () => {
    const actions = { admission: "deny", background: "audit" };
    const expression = `object.spec.template.spec.tolerations.all(t, t.tolerationSeconds != 9007199254740993)`;
    const odd = { actions, validations: [{ expression, message: "odd" }] };
    expect((await apply(cluster, tolerating("kept", "9007199254740993"))).allowed).toBe(true);
    for (const evaluation of ["Native", "Webhook"]) {
      await enforce(cluster, replicaLimit("odd", { evaluation, ...odd }));
      expect((await apply(cluster, tolerating("even", "9007199254740992"))).allowed).toBe(true);
      expect((await apply(cluster, tolerating("odd", "9007199254740993"))).message).toContain("odd");
      const found = () => statusOf("odd").then((status) => status?.counts);
      await waitFor("the audit", async () => (await found())?.checked === 2);
      expect(await found()).toMatchObject({ violating: 1 });
      await cluster.kubectl(["delete", "deployment", "even"]);
    }
    await cluster.kubectl(["delete", "deployment", "kept"]);
  });

  it("refuses expressions that cannot be compiled, naming the place", async () => {
    const refused = await apply(
      cluster,
      inWebhook("bad", { validations: [{ expression: "object.spec. ==" }] }),
    );
    expect(refused.allowed).toBe(false);
    expect(refused.message).toMatch(/spec\.validations\[0\]\.expression: line 1, column \d+/);
  });

  it("decides by the API server's authorizer", async () => {
    const check = "authorizer.group('').resource('secrets').namespace('default').check('delete').allowed()";
    const validations = [{ expression: check, message: "only for who may delete Secrets" }];
    await enforce(cluster, inWebhook("trusted", { ...about(["configmaps"]), validations }));
    await cluster.kubectl(["create", "role", "maps", "--verb=create", "--resource=configmaps"]);
    await cluster.kubectl(["create", "rolebinding", "maps", "--role=maps", "--user=jane"]);
    const create = (...flags: string[]) =>
      cluster.kubectl(["create", "configmap", "c", "--dry-run=server", ...flags]);
    expect((await create()).code).toBe(0);
    const jane = await create("--as=jane");
    expect(jane.stderr).toContain("only for who may delete Secrets");
    await cluster.kubectl(["create", "role", "secrets", "--verb=delete", "--resource=secrets"]);
    await cluster.kubectl(["create", "rolebinding", "secrets", "--role=secrets", "--user=jane"]);
    await waitFor("jane trusted", async () => (await create("--as=jane")).code === 0);
  });

  it.each(["Native", "Webhook"])(
    "lets go what is being deleted, with nothing brought into force (%s)",
    async (evaluation) => {
      const held = {
        metadata: { ...{ name: "held", namespace: "default" }, finalizers: ["example.com/hold"] },
      };
      const marked = { labels: { "example.com/held": "yes" }, annotations: { "example.com/note": "kept" } };
      await apply(cluster, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { ...held.metadata, ...marked },
      });
      const never = { validations: [{ expression: "false", message: "no more changes" }] };
      const policy = { evaluation, ...about(["configmaps"], ["UPDATE"]), ...never };
      await enforce(cluster, replicaLimit("still", policy));
      await cluster.kubectl(["delete", "configmap", "held", "--cascade=foreground", "--wait=false"]);
      const patch = (metadata: Manifest) =>
        cluster.kubectl(["patch", "configmap", "held", "--type=merge", "-p", JSON.stringify({ metadata })]);
      for (const field of ["labels", "annotations"])
        expect((await patch({ [field]: { "example.com/public": "yes" } })).stderr).toContain(
          "no more changes",
        );
      // As a controller that takes its mark and its finalizer away at once.
      const freed = await patch({ labels: { "example.com/held": null }, finalizers: null });
      expect(freed).toMatchObject({ code: 0 });
      await waitFor("gone", async () => (await read(cluster, "configmap", "held")) === undefined);
    },
  );

  it("keeps a ClusterRole that is being deleted from being aggregated", async () => {
    const role = "rbac.authorization.k8s.io";
    const toView = `${role}/aggregate-to-view`;
    const expression = `!has(object.metadata.labels) || !('${toView}' in object.metadata.labels)`;
    await enforce(
      cluster,
      replicaLimit("view", {
        ...{ evaluation: "Native", ...about(["clusterroles"], ["CREATE", "UPDATE"], role) },
        validations: [{ expression, message: "nobody adds to view" }],
      }),
    );
    const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["list"] }];
    const metadata = { name: "zz", finalizers: ["example.com/hold"] };
    await apply(cluster, { apiVersion: `${role}/v1`, kind: "ClusterRole", metadata, rules });
    await cluster.kubectl(["delete", "clusterrole", "zz", "--wait=false"]);
    const labelled = await cluster.kubectl(["label", "clusterrole", "zz", `${toView}=true`]);
    expect(labelled.stderr).toContain("nobody adds to view");
    const freed = ["patch", "clusterrole", "zz", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'];
    expect(await cluster.kubectl(freed)).toMatchObject({ code: 0 });
    expect(await read(cluster, "clusterrole", "zz")).toBeUndefined();
  });

  it("lets a namespace be deleted whose objects nobody may delete", async () => {
    const never = { validations: [{ expression: "false", message: "never" }] };
    await cluster.kubectl(["create", "namespace", "doomed"]);
    expect((await apply(cluster, configMap("kept", "doomed"))).allowed).toBe(true);
    await enforce(cluster, inWebhook("kept", { ...about(["configmaps"], ["DELETE"]), ...never }));
    const refused = await cluster.kubectl(["delete", "configmap", "kept", "-n", "doomed"]);
    expect(refused.stderr).toContain("never");
    const gone = await cluster.kubectl(["delete", "namespace", "doomed", "--timeout=60s"]);
    expect(gone.code).toBe(0);
  });
});

describe("a policy of engine cel with background audit", () => {
  it("counts existing objects that break it, enforced natively or not", async () => {
    const many = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "many", namespace: "default" },
    };
    const labels = { app: "many" };
    const spec = {
      replicas: 7,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "a", image: "none.invalid/none" }] },
      },
    };
    await apply(cluster, { ...many, spec });
    await enforce(cluster, replicaLimit("few", { actions: { admission: "deny", background: "audit" } }));
    const found = await waitFor("the offender counted", async () => {
      const status = await statusOf("few");
      return status?.counts?.violating === 1 ? status : undefined;
    });
    expect(found.worstOffenders).toMatchObject([{ name: "many" }]);
    const reports = await waitFor("a Report", async () => {
      const { items } = (await read<{ items: { results: { rule: string; message: string }[] }[] }>(
        cluster,
        "reports.openreports.io",
        "-n",
        "default",
      )) ?? { items: [] };
      return items.length > 0 ? items : undefined;
    });
    expect(reports[0]?.results).toMatchObject([{ rule: "validations[0]", message: "at most 5 replicas" }]);
    await apply(cluster, { ...many, spec: { ...spec, replicas: 1 } });
    await waitFor("none left", async () => (await statusOf("few"))?.counts?.violating === 0);
    await cluster.kubectl(["delete", "deployment", "many"]);
  });

  it("says which right it lacks for other kinds, and goes on once it has it", async () => {
    const policy = replicaLimit("typed", {
      ...about(["services"]),
      validations: [{ expression: "object.spec.type != 'NodePort'", message: "no NodePort" }],
      actions: { admission: "audit", background: "audit" },
    });
    await cluster.kubectl(["create", "service", "nodeport", "open", "--tcp=80"]);
    await enforce(cluster, policy);
    await untilCondition(cluster, ["shieldpolicy", "typed"], "Degraded", "True");
    const degraded = (await statusOf("typed"))?.conditions?.find(({ type }) => type === "Degraded");
    expect(degraded).toMatchObject({ reason: "NotAudited" });
    expect(degraded?.message).toContain("may not read services: set rbac.auditedKinds of the chart");
    await cluster.kubectl(["create", "clusterrole", "services", "--verb=list,watch", "--resource=services"]);
    await cluster.kubectl([
      ...["create", "clusterrolebinding", "services", "--clusterrole=services"],
      "--serviceaccount=shieldx-system:shieldx-operator",
    ]);
    const counted = async () => (await statusOf("typed"))?.counts?.violating === 1;
    await waitFor("the Service counted", counted, { timeoutMs: 60_000 });
    await untilCondition(cluster, ["shieldpolicy", "typed"], "Degraded", "False");
  });
});
