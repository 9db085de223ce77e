// Policies of tenants from outside, each request by whoever would send it: what he may, what he can and cannot reach.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildRegoCompiler, type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply, celPolicy, enforce, type Manifest, read, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

let cluster: Cluster;
let shieldx: ShieldxOnHost;
/** Runs namespace shop, as Kubernetes' own role admin lets him. */
const tenant = ["--as=tenant"];
/** Deploys in it, by role edit. */
const developer = ["--as=developer"];
/** May write policies there, and read nothing. */
const author = ["--as=author"];

const about = (resources: string[], operations = ["CREATE", "UPDATE"], apiGroup = "") => ({
  resourceRules: [{ apiGroups: [apiGroup], apiVersions: ["v1"], operations, resources }],
});
const own = (name: string, spec: Manifest = {}, namespace = "shop"): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "NamespacedShieldPolicy",
  metadata: { name, namespace },
  spec: {
    engine: "cel",
    matchConstraints: about(["configmaps"]),
    validations: [
      { expression: "'owner' in object.?data.orValue({})", message: "say who owns it: data.owner" },
    ],
    actions: { admission: "deny" },
    ...spec,
  },
});
const rego = (module: string, more: Manifest = {}): Manifest => ({
  engine: "rego",
  validations: undefined,
  rego: { module, ...more },
});
const configMap = (namespace: string, name = "c", data: Manifest = {}): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
  data,
});
const kubectl = (args: readonly string[], object?: Manifest) =>
  cluster.kubectl([...args], object === undefined ? {} : { input: JSON.stringify(object) });
const create = (object: Manifest, ...flags: string[]) =>
  kubectl(["create", "--dry-run=server", "-f", "-", ...flags], object);
const what = (name: string, namespace = "shop") => ["namespacedshieldpolicy", name, "-n", namespace];

interface Found {
  readonly status?: {
    readonly enforcedBy?: string;
    readonly enforcedByReason?: string;
    readonly counts?: { readonly violating?: number; readonly checked?: number };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}
const statusOf = async (name: string, namespace?: string) =>
  (await read<Found>(cluster, ...what(name, namespace)))?.status;

/** Applies a policy as the tenant and waits until it is in force. */
async function inForce(policy: Manifest): Promise<void> {
  expect(await apply(cluster, policy, ...tenant)).toMatchObject({ allowed: true });
  const { name, namespace } = policy.metadata as { name: string; namespace: string };
  await untilCondition(cluster, what(name, namespace), "Ready", "True");
}

/** What is wrong with a policy, at once; or by its condition, where the webhook had no time to say so. */
const saidOf = (policy: Manifest) =>
  waitFor("told what is wrong", async () => {
    const { allowed, message } = await apply(cluster, policy, ...tenant);
    if (!allowed) return message;
    const { name } = policy.metadata as { name: string };
    const ready = (await statusOf(name))?.conditions?.find(({ type }) => type === "Ready");
    return ready?.status === "False" && ready.reason !== "Compiling" ? ready.message : undefined;
  });

beforeAll(async () => {
  const [compiler, started] = await Promise.all([buildRegoCompiler(), startCluster({ name: "tenants" })]);
  cluster = started;
  shieldx = await startShieldxOnHost(cluster, {
    args: [`--rego-compiler=${compiler}`],
    chartValues: {
      "rbac.inventoryKinds[0].resources": "{configmaps}",
      "rbac.inventoryKinds[0].apiGroup": "",
      "rbac.paramKinds[0].resources": "{configmaps}",
      "rbac.paramKinds[0].apiGroup": "",
      "rbac.auditedKinds[0].resources": "{configmaps}",
      "rbac.auditedKinds[0].apiGroup": "",
    },
  });
  for (const namespace of ["shop", "other"]) await mustKubectl(cluster, ["create", "namespace", namespace]);
  const bind = (name: string, role: string) =>
    mustKubectl(cluster, [
      ...["create", "rolebinding", name, "-n", "shop", `--clusterrole=${role}`, `--user=${name}`],
    ]);
  await bind("tenant", "admin");
  await bind("developer", "edit");
  await bind("author", "shieldx-tenant");
  await waitFor(
    "role admin has taken the right in",
    async () =>
      (await kubectl(["auth", "can-i", "create", "namespacedshieldpolicies", "-n", "shop", ...tenant]))
        .code === 0,
  );
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await kubectl(["delete", "namespacedshieldpolicies", "--all", "-A", "--wait=true"]);
  await kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

describe("who runs a namespace", () => {
  it("demands more there, of everybody, and of nobody elsewhere", async () => {
    await inForce(own("owned"));
    expect(await statusOf("owned")).toMatchObject({
      enforcedBy: "Webhook",
      enforcedByReason: expect.stringContaining("evaluated by the webhook"),
    });
    const refused =
      'NamespacedShieldPolicy "shop/owned" refuses ConfigMap "shop/c": say who owns it: data.owner';
    expect((await create(configMap("shop"))).stderr).toContain(refused);
    expect((await create(configMap("shop"), ...developer)).stderr).toContain(refused);
    expect((await create(configMap("shop", "c", { owner: "me" }), ...developer)).code).toBe(0);
    expect((await create(configMap("other"))).code).toBe(0);
    const shown = await kubectl(["get", "nspol", "-n", "shop", ...tenant]);
    expect(shown.stdout).toMatch(/^owned\s+cel\s+deny\s+Webhook\s+1\/1\s+True/m);
    const explained = await kubectl(["explain", "namespacedshieldpolicies.spec.rego.inventory"]);
    expect(explained.stdout.replace(/\s+/g, " ")).toContain("nothing of other namespaces");
    await mustKubectl(cluster, ["delete", ...what("owned"), ...tenant]);
    await waitFor("nothing demanded any more", async () => (await create(configMap("shop"))).code === 0);
  });

  it("reaches neither other namespaces, nor policies of the cluster, nor what comes of his", async () => {
    await inForce(own("owned"));
    await enforce(
      cluster,
      celPolicy("platform", { matchConstraints: about(["secrets"]), validations: [{ expression: "true" }] }),
    );
    const forbidden = async (args: string[], object?: Manifest, who = tenant) => {
      const { code, stderr } = await kubectl([...args, ...who], object);
      expect([args, code === 0]).toEqual([args, false]);
      expect(stderr).toContain("forbidden");
    };
    const wider = JSON.stringify({ spec: { actions: { admission: "warn" } } });
    const status = JSON.stringify({ status: { enforcedBy: "None" } });
    await forbidden(["create", "-f", "-"], own("owned", {}, "other"));
    await forbidden(["create", "-f", "-"], celPolicy("mine", { matchConstraints: about(["secrets"]) }));
    await forbidden(["patch", "shieldpolicy", "platform", "--type=merge", "-p", wider]);
    await forbidden(["delete", "shieldpolicy", "platform"]);
    await forbidden(["patch", ...what("owned"), "--subresource=status", "--type=merge", "-p", status]);
    await forbidden(["delete", "validatingwebhookconfiguration", "shieldx-policies-fail"]);
    // Who deploys does not take away what the owner of the namespace demands.
    await forbidden(["create", "-f", "-"], own("other"), developer);
    await forbidden(["patch", ...what("owned"), "--type=merge", "-p", wider], undefined, developer);
    await forbidden(["delete", ...what("owned")], undefined, developer);
    expect((await kubectl(["get", ...what("owned"), ...developer])).code).toBe(0);
  });

  it("lets nothing pass that the cluster refuses, nor what the cluster demands of him be refused", async () => {
    await enforce(
      cluster,
      celPolicy("platform", {
        evaluation: "Webhook",
        matchConstraints: about(["configmaps"]),
        validations: [{ expression: "!('debug' in object.?data.orValue({}))", message: "no debug" }],
        exceptions: { namespaces: { names: ["shop"] } },
      }),
    );
    await inForce(own("lax", { validations: [{ expression: "true" }] }));
    const debug = configMap("shop", "c", { debug: "yes" });
    expect((await create(debug, ...tenant)).stderr).toContain('ShieldPolicy "platform" refuses');
    const exception = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "mine", namespace: "shop" },
      spec: {
        policies: ["platform"],
        owner: "tenant",
        reason: "because I would like to",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        match: { names: ["c"] },
      },
    };
    expect((await create(exception, ...tenant)).stderr).toContain("forbidden");
    // What restrains him is not his to refuse.
    for (const [group, resource] of [
      ["", "resourcequotas"],
      ["networking.k8s.io", "networkpolicies"],
      ["shieldx.io", "shieldexceptions"],
      ["openreports.io", "reports"],
      ["", "secrets"],
      ["", "pods/eviction"],
    ] as const) {
      const never = own("never", { matchConstraints: about([resource], ["CREATE"], group) });
      const { allowed, message } = await apply(cluster, never, ...tenant);
      expect([resource, allowed]).toEqual([resource, false]);
      expect(message).toMatch(/a NamespacedShieldPolicy cannot be about .*: leave (them|it) out/);
    }
  });

  it("is told what is wrong with a policy when he applies it", async () => {
    const refusals: [Manifest, RegExp][] = [
      [{ validations: [{ expression: "object.spec. ==" }] }, /spec\.validations\[0\]\.expression: line 1/],
      [
        { validations: [{ expression: "authorizer.path('/').check('get').allowed()" }] },
        /cannot ask the authorizer/,
      ],
      [rego('package a\nviolation contains {"msg": "x"} if http.send({})'), /http\.send/],
      [
        {
          tests: [{ name: "no owner", object: configMap("shop"), expect: { decision: "allow" } }],
        },
        /case "no owner": expected it to be allowed, but it was denied/,
      ],
    ];
    for (const [spec, message] of refusals) expect(await saidOf(own("bad", spec))).toMatch(message);
    const inSystem = await apply(cluster, own("bad", {}, "kube-system"));
    expect(inSystem.message).toContain('no policy acts in namespace "kube-system"');
  });
});

describe("what a tenant's policy sees", () => {
  const spy = (name: string) =>
    own(
      name,
      rego(
        `package spy
violation contains {"msg": sprintf("sees %v of %v in all", [names, scopes])} if {
  names := sort([name | data.inventory.namespace[_].v1.ConfigMap[name]])
  scopes := [object.keys(data.inventory.namespace), object.keys(data.inventory.cluster)]
}`,
        { inventory: [{ apiVersion: "v1", kind: "ConfigMap" }] },
      ),
    );

  it("is what is in its namespace, whatever others look at", async () => {
    await mustKubectl(cluster, ["create", "configmap", "hidden", "-n", "other", "--from-literal=a=b"]);
    await mustKubectl(cluster, ["create", "configmap", "mine", "-n", "shop", "--from-literal=owner=me"]);
    // The whole cluster's are held, for the platform.
    await enforce(cluster, {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name: "all" },
      spec: {
        engine: "rego",
        rego: {
          module: `package all\nviolation contains {"msg": "other has it"} if data.inventory.namespace.other.v1.ConfigMap.hidden`,
          inventory: [{ apiVersion: "v1", kind: "ConfigMap" }],
        },
        matchConstraints: about(["configmaps"]),
        actions: { admission: "warn" },
      },
    });
    await inForce(spy("spy"));
    const { stderr } = await create(configMap("shop", "new"));
    expect(stderr).toContain("other has it");
    expect(stderr).toMatch(/sees \["kube-root-ca\.crt", "mine"\] of \[\{"shop"\}, set\(\)\] in all/);
    await mustKubectl(cluster, ["delete", "configmap", "mine", "-n", "shop"]);
    await mustKubectl(cluster, ["delete", "configmap", "hidden", "-n", "other"]);
  });

  it("is what its author may read", async () => {
    const reading = await apply(cluster, spy("spy"), ...author);
    expect(reading.allowed).toBe(false);
    expect(reading.message).toContain(
      'spec.rego.inventory[0]: you may not list configmaps in namespace "shop"',
    );
    const params = {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "limits", parameterNotFoundAction: "Deny" },
      validations: [{ expression: "false", messageExpression: "string(params.data)" }],
    };
    const read = await apply(cluster, own("params", params), ...author);
    expect(read.message).toContain('spec.paramRef: you may not get configmaps "limits" in namespace "shop"');
    expect(await apply(cluster, own("plain"), ...author)).toMatchObject({ allowed: true });
  });

  it("takes its parameters from its namespace", async () => {
    const most = (namespace: string, max: string) =>
      mustKubectl(cluster, [
        "create",
        "configmap",
        "limits",
        "-n",
        namespace,
        `--from-literal=max=${max}`,
        "--from-literal=owner=me",
      ]);
    await most("shop", "1");
    await most("other", "9");
    await inForce(
      own("few", {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { name: "limits", parameterNotFoundAction: "Deny" },
        validations: [
          {
            expression: "size(object.?data.orValue({})) <= int(params.data.max)",
            messageExpression: "'at most ' + params.data.max",
          },
        ],
      }),
    );
    expect((await create(configMap("shop", "c", { a: "1" }))).code).toBe(0);
    expect((await create(configMap("shop", "c", { a: "1", b: "2" }))).stderr).toContain("at most 1");
    for (const namespace of ["shop", "other"])
      await mustKubectl(cluster, ["delete", "configmap", "limits", "-n", namespace]);
  });
});

describe("existing objects", () => {
  it("of the namespace are counted and reported, and no others", async () => {
    for (const namespace of ["shop", "other"])
      await mustKubectl(cluster, ["create", "configmap", "old", "-n", namespace]);
    await inForce(own("owned", { actions: { admission: "audit", background: "audit" } }));
    // kube-root-ca.crt is one of them.
    await waitFor("both counted", async () => (await statusOf("owned"))?.counts?.violating === 2);
    const reports = async (namespace: string) =>
      (
        await read<{ items: { results: { policy: string; message: string }[] }[] }>(
          cluster,
          "reports.openreports.io",
          "-n",
          namespace,
        )
      )?.items ?? [];
    const found = await waitFor("reported", async () => {
      const items = await reports("shop");
      return items.length === 2 ? items : undefined;
    });
    expect(found.flatMap(({ results }) => results.map(({ policy }) => policy))).toEqual([
      "shop/owned",
      "shop/owned",
    ]);
    expect(await reports("other")).toEqual([]);
    await mustKubectl(cluster, ["create", "configmap", "third", "-n", "shop"]);
    await waitFor("a third", async () => (await statusOf("owned"))?.counts?.violating === 3);
    for (const name of ["old", "third"])
      await mustKubectl(cluster, ["delete", "configmap", name, "-n", "shop"]);
    await mustKubectl(cluster, ["delete", "configmap", "old", "-n", "other"]);
    await waitFor("fewer", async () => (await statusOf("owned"))?.counts?.violating === 1);
  });
});

describe("what works whatever a tenant says", () => {
  const nothing = (name: string, namespace: string) =>
    own(
      name,
      {
        matchConstraints: about(["configmaps"], ["CREATE", "UPDATE", "DELETE"]),
        validations: [{ expression: "false", message: "never" }],
      },
      namespace,
    );

  it("its namespace can be deleted, and what belongs to the cluster goes its way", async () => {
    await mustKubectl(cluster, ["create", "namespace", "doomed"]);
    await mustKubectl(cluster, ["create", "configmap", "kept", "-n", "doomed"]);
    expect(await apply(cluster, nothing("nothing", "doomed"))).toMatchObject({ allowed: true });
    await untilCondition(cluster, what("nothing", "doomed"), "Ready", "True");
    expect((await kubectl(["delete", "configmap", "kept", "-n", "doomed"])).stderr).toContain("never");
    // The owner of what is collected is gone.
    const gone = { apiVersion: "v1", kind: "Pod", name: "gone", uid: "00000000-0000-4000-8000-000000000000" };
    await mustKubectl(cluster, [
      ...["annotate", "configmap", "kept", "-n", "doomed", "a=b"],
      "--as=system:serviceaccount:kube-system:generic-garbage-collector",
      "--as-group=system:masters",
    ]);
    await mustKubectl(cluster, [
      ...["patch", "configmap", "kept", "-n", "doomed", "--type=merge", "-p"],
      JSON.stringify({ metadata: { ownerReferences: [gone] } }),
      "--as=system:serviceaccount:kube-system:generic-garbage-collector",
      "--as-group=system:masters",
    ]);
    await waitFor(
      "collected",
      async () => (await kubectl(["get", "configmap", "kept", "-n", "doomed"])).code !== 0,
    );
    const deleted = await kubectl(["delete", "namespace", "doomed", "--timeout=60s"]);
    expect(deleted.code, deleted.stderr).toBe(0);
  });

  it("while no replica answers, his namespace waits for him, and nobody else", async () => {
    await inForce(nothing("nothing", "shop"));
    const [webhook] = shieldx.webhooks.splice(0);
    await webhook?.kill();
    const refused = await create(configMap("shop"));
    expect(refused.stderr).toMatch(/failed calling webhook "tenants-\w+\.policies\.shieldx\.io"/);
    expect((await create(configMap("other"))).code).toBe(0);
    const root = ["annotate", "configmap", "kube-root-ca.crt", "-n", "shop", "a=b", "--dry-run=server"];
    expect((await kubectl(root)).code).not.toBe(0);
    const component = [
      "--as=system:serviceaccount:kube-system:root-ca-cert-publisher",
      "--as-group=system:masters",
    ];
    expect((await kubectl([...root, ...component])).code).toBe(0);
    await mustKubectl(cluster, ["delete", ...what("nothing"), ...tenant]);
    await waitFor("his to open again", async () => (await create(configMap("shop"))).code === 0);
    await shieldx.startWebhooks();
  });
});

describe("how many policies a namespace may have", () => {
  it("is bounded, also where several write at once, and told to whoever writes one more", async () => {
    const list = (from: number, to: number) => ({
      apiVersion: "v1",
      kind: "List",
      items: Array.from({ length: to - from }, (_, at) => own(`p${from + at}`)),
    });
    await kubectl(["create", "-f", "-"], list(0, 31));
    await untilCondition(cluster, what("p30"), "Ready", "True");
    await Promise.all([
      kubectl(["create", "-f", "-", ...tenant], list(31, 33)),
      kubectl(["create", "-f", "-"], list(33, 35)),
    ]);
    const late = await apply(cluster, own("late"), ...tenant);
    expect(late.allowed).toBe(false);
    expect(late.message).toMatch(/namespace "shop" has 3\d NamespacedShieldPolicies, and may have 32/);
    const standing = async () => {
      const { items } = (await read<{ items: Found[] }>(
        cluster,
        "namespacedshieldpolicies",
        "-n",
        "shop",
      )) ?? { items: [] };
      const reasons = items.map(
        ({ status }) => status?.conditions?.find(({ type }) => type === "Ready")?.reason,
      );
      const beyond = reasons.filter((reason) => reason === "TooManyPolicies").length;
      const inForce = reasons.filter((reason) => reason === "InForce").length;
      return inForce === 32 && beyond === items.length - 32;
    };
    await waitFor("32 in force", standing);
  });
});
