// The roles the chart grants, held against what both processes do with them: nothing more is asked for, nothing is
// granted in vain. Judged by the API server's audit log.
import { request as httpsRequest } from "node:https";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { scrape, scraperToken } from "../../shieldx/metrics.ts";
import {
  apply,
  celPolicy,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
  tryCreate,
  untilCondition,
} from "../../shieldx/objects.ts";
import {
  account,
  declaredRights,
  type RightsAccount,
  type RoleRule,
  usedRights,
} from "../../shieldx/rights.ts";
import { waitFor } from "../../shieldx/wait.ts";

const namespace = "shieldx-system";
const native = "shieldx-few-replicas";
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({
    name: "rights",
    audit: true,
    // Asks for further rights where an object names an owner; some distributions have it on.
    apiServerArgs: ["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"],
  });
  shieldx = await startShieldxOnHost(cluster, { operators: 2 });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const kubectl = (...args: string[]): Promise<string> => mustKubectl(cluster, args);

const username = (component: string): string => `system:serviceaccount:${namespace}:shieldx-${component}`;

/** Whether this component made such a request, however it ended. */
async function did(component: string, verb: string, resource: string, name?: string): Promise<boolean> {
  const used = await usedRights(cluster.auditLog ?? "", username(component));
  return used.some(
    (r) => r.verb === verb && r.resource === resource && (name === undefined || r.name === name),
  );
}

/** What every authenticated identity may do in any cluster. */
async function everybodys(): Promise<RoleRule[]> {
  const names = ["system:basic-user", "system:discovery", "system:public-info-viewer"];
  const roles = await Promise.all(
    names.map((name) => read<{ rules: RoleRule[] }>(cluster, "clusterrole", name)),
  );
  return roles.flatMap((role) => role?.rules ?? []);
}

async function accountOf(component: string): Promise<RightsAccount> {
  const name = `shieldx-${component}`;
  return account(
    await declaredRights(cluster, namespace, name),
    await usedRights(cluster.auditLog ?? "", username(component)),
    await everybodys(),
    namespace,
  );
}

/** Asks the webhook itself, over TLS as an API server would. */
async function review(path: string, request: object): Promise<unknown> {
  type Configuration = { webhooks: { clientConfig: { caBundle: string } }[] };
  const found = await read<Configuration>(cluster, "validatingwebhookconfiguration", "shieldx-kinds");
  const ca = Buffer.from(found?.webhooks[0]?.clientConfig.caBundle ?? "", "base64");
  const body = JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
  return await new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const outgoing = httpsRequest(
      `${shieldx.webhookUrl}${path}`,
      { method: "POST", ca, headers, agent: false },
      (answer) => {
        json(answer).then((answered) => resolve((answered as { response: unknown }).response), reject);
      },
    );
    outgoing.once("error", reject).end(body);
  });
}

/** Judges Pods only, so that a workload's controller is refused, again and again. */
const podsOnly = podSecurityPolicy("pods-only", {
  matchConstraints: {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "tenant" } },
    resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
  },
  exceptions: { namespaces: { names: ["tenant"] }, maxDuration: "24h" },
});
const exception: Manifest = {
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name: "for-a-day", namespace: "tenant" },
  spec: {
    policies: ["pods-only"],
    owner: "storage@example.org",
    reason: "the driver needs the host's network until it is replaced",
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    match: { kinds: ["Pod"], names: ["excepted"] },
  },
};

const mutations = [
  {
    patchType: "ApplyConfiguration",
    applyConfiguration: { expression: "Object{metadata: Object.metadata{labels: {'mark': 'yes'}}}" },
  },
];
/** Changes what is made in the tenant's namespace. */
const marking = (name: string, spec: Manifest = {}) =>
  celPolicy(name, {
    matchConstraints: {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "tenant" } },
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
      ],
    },
    mutations,
    ...spec,
  });

async function restored(what: readonly string[], tamper: () => Promise<unknown>): Promise<void> {
  type Found = { metadata: { uid: string; resourceVersion: string } };
  const before = await read<Found>(cluster, ...what);
  await tamper();
  await waitFor(`${what.join(" ")} restored`, async () => {
    const now = await read<Found>(cluster, ...what);
    return now !== undefined && now.metadata.resourceVersion !== before?.metadata.resourceVersion;
  });
}

describe("the roles of the chart, over everything ShieldX does", () => {
  it("let policies of every way be enforced, guarded and taken back", async () => {
    await kubectl("create", "namespace", "tenant");
    await apply(cluster, restrictedPod("offender", { hostNetwork: true }));
    await enforce(cluster, podSecurityPolicy("fail"));
    await enforce(cluster, podSecurityPolicy("ignore", { actions: { admission: "warn" } }));
    await enforce(cluster, podsOnly);
    await enforce(cluster, replicaLimit("few-replicas"));
    await enforce(cluster, marking("marked"));
    await enforce(cluster, marking("asked", { evaluation: "Webhook" }));
    expect((await tryCreate(cluster, restrictedPod("bad", { hostNetwork: true }))).allowed).toBe(false);
    expect(await apply(cluster, exception)).toMatchObject({ allowed: true });
    await untilCondition(cluster, ["shieldexception", "for-a-day", "-n", "tenant"], "Ready", "True");
    // Deleted, changed, and added to: what is put right by a create, an apply and a replacement.
    const theirVariable = { name: "theirs", expression: "'theirs'" };
    const matchResources = { namespaceSelector: { matchLabels: { theirs: "x" } } };
    const audited = [{ key: "theirs", valueExpression: "'theirs'" }];
    const webhook = {
      name: "theirs.example.org",
      clientConfig: { url: "https://127.0.0.1:1/" },
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Ignore",
    };
    const added = { op: "add", path: "/webhooks/-", value: webhook };
    const changed = { op: "replace", path: "/webhooks/0/timeoutSeconds", value: 1 };
    const edits: [string, string, "merge" | "json", unknown][] = [
      ["validatingadmissionpolicy", native, "merge", { spec: { failurePolicy: "Ignore" } }],
      ["validatingadmissionpolicy", native, "merge", { spec: { auditAnnotations: audited } }],
      ["validatingadmissionpolicybinding", native, "merge", { spec: { validationActions: ["Audit"] } }],
      ["mutatingadmissionpolicy", "shieldx-marked", "merge", { spec: { failurePolicy: "Ignore" } }],
      ["mutatingadmissionpolicy", "shieldx-marked", "merge", { spec: { variables: [theirVariable] } }],
      ["mutatingadmissionpolicybinding", "shieldx-marked", "merge", { spec: { matchResources } }],
      ["validatingwebhookconfiguration", "shieldx-kinds", "json", [added]],
      ...[
        ["validatingwebhookconfiguration", "shieldx-policies-fail"] as const,
        ["validatingwebhookconfiguration", "shieldx-policies-ignore"] as const,
        ["mutatingwebhookconfiguration", "shieldx-mutations"] as const,
      ].flatMap(([kind, name]): typeof edits => [
        [kind, name, "json", [changed]],
        [kind, name, "json", [added]],
      ]),
    ];
    for (const [kind, name, type, patch] of edits) {
      const what = [kind, name];
      await restored(what, () => kubectl("delete", ...what));
      await restored(what, () => kubectl("patch", ...what, `--type=${type}`, "-p", JSON.stringify(patch)));
      await waitFor(`${name} without the edit`, async () => {
        const text = JSON.stringify(
          (await read<{ spec?: object; webhooks?: object }>(cluster, ...what)) ?? {},
        );
        return !/theirs"|"Audit"|"timeoutSeconds":1[,}]/.test(text);
      });
    }
  }, 240_000);

  it("let generators and clean-ups say that they need further rights", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } };
    const standing: [string, Manifest][] = [
      ["ShieldGenerator", { namespaceSelector: {}, objects: [{ name: "x", object }] }],
      ["ShieldCleanup", { targets: [{ apiVersion: "v1", kind: "ConfigMap" }], ttl: "1h" }],
    ];
    for (const [kind, spec] of standing) {
      const asked = { apiVersion: "shieldx.io/v1alpha1", kind, metadata: { name: "ungranted" }, spec };
      expect(await apply(cluster, asked)).toMatchObject({ allowed: true });
      const { status } = await untilCondition(cluster, [kind, "ungranted"], "Ready", "False");
      expect(status?.conditions?.[0]).toMatchObject({ reason: "MissingRights" });
    }
  });

  it("let policies be suspended, and that be told", async () => {
    const asked = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldBreakGlass",
      metadata: { name: "drill" },
      spec: {
        allPolicies: true,
        reason: "a drill, to see that rights suffice",
        expiresAt: new Date(Date.now() + 600_000).toISOString(),
      },
    };
    expect(await apply(cluster, asked)).toMatchObject({ allowed: true });
    await untilCondition(cluster, ["shieldbreakglass", "drill"], "Expired", "False");
    await kubectl("delete", "shieldbreakglass", "drill");
  });

  it("let policies of tenants be enforced and taken back", async () => {
    const resourceRules = [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
    ];
    const policy = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "NamespacedShieldPolicy",
      metadata: { name: "small", namespace: "tenant" },
      spec: {
        engine: "cel",
        matchConstraints: { resourceRules },
        validations: [{ expression: "size(object.data) < 3" }],
        actions: { admission: "deny" },
      },
    };
    expect(await apply(cluster, policy)).toMatchObject({ allowed: true });
    const what = ["namespacedshieldpolicy", "small", "-n", "tenant"];
    await untilCondition(cluster, what, "Ready", "True");
    await kubectl("delete", ...what);
  });

  it("let objects of somebody else's that bear our names be looked at and left alone", async () => {
    const group = "admissionregistration.k8s.io";
    const resourceRules = [
      { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
    ];
    const theirs: Manifest[] = [
      {
        apiVersion: `${group}/v1`,
        kind: "ValidatingAdmissionPolicy",
        metadata: { name: "shieldx-taken" },
        spec: { matchConstraints: { resourceRules }, validations: [{ expression: "true" }] },
      },
      {
        apiVersion: `${group}/v1`,
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name: "shieldx-bound" },
        spec: { policyName: "theirs", validationActions: ["Audit"] },
      },
      {
        apiVersion: `${group}/v1`,
        kind: "MutatingAdmissionPolicy",
        metadata: { name: "shieldx-changed" },
        spec: { matchConstraints: { resourceRules }, mutations, reinvocationPolicy: "Never" },
      },
      {
        apiVersion: `${group}/v1`,
        kind: "MutatingAdmissionPolicyBinding",
        metadata: { name: "shieldx-tied" },
        spec: { policyName: "theirs" },
      },
    ];
    for (const object of theirs) {
      expect(await apply(cluster, object)).toMatchObject({ allowed: true });
      const { name } = object.metadata as { name: string };
      const policy = name.replace("shieldx-", "");
      const resource = `${(object.kind as string).toLowerCase().replace(/y$/, "ie")}s`;
      type Found = {
        metadata: { uid: string; generation: number; ownerReferences?: unknown };
        spec: unknown;
      };
      const found = async () => {
        const { metadata, spec } = (await read<Found>(cluster, resource, name)) ?? {};
        const { uid, generation, ownerReferences } = metadata ?? {};
        return { uid, generation, ownerReferences, spec };
      };
      const before = await found();
      const ofOurs = resource.startsWith("mutating") ? marking : replicaLimit;
      expect(await apply(cluster, ofOurs(policy))).toMatchObject({ allowed: true });
      await waitFor(`${name} looked up`, () => did("operator", "get", resource, name));
      await waitFor(`${policy} told of it`, async () => {
        type Told = { status?: { conditions?: { type: string; reason: string }[] } };
        const told = await read<Told>(cluster, "shieldpolicy", policy);
        return told?.status?.conditions?.some((c) => c.type === "Enforced" && c.reason === "FieldConflict");
      });
      expect(before.spec).toMatchObject(object.spec as object);
      expect(await found()).toEqual(before);
      await kubectl("delete", resource, name);
    }
  });

  it("let offenders be reported, and reports go", async () => {
    await waitFor("a Report", () => did("operator", "create", "reports"));
    await apply(cluster, restrictedPod("offender", { hostNetwork: true, hostPID: true }), "--dry-run=server");
    await enforce(cluster, podSecurityPolicy("fail", { podSecurity: { level: "restricted" } }));
    await waitFor("a Report changed", () => did("operator", "patch", "reports"));
    for (const name of ["fail", "ignore"]) {
      await enforce(cluster, podSecurityPolicy(name, { podSecurity: { level: "privileged" } }));
    }
    await waitFor("a Report deleted", () => did("operator", "delete", "reports"));
  });

  it("let owners of refused Pods be told, more than once", async () => {
    const spec = { ...(restrictedPod("x", { hostNetwork: true }).spec as object) };
    const metadata = { name: "refused", namespace: "tenant" };
    const template = { metadata: { labels: { app: "refused" } }, spec };
    const selector = { matchLabels: { app: "refused" } };
    await apply(cluster, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: { selector, template },
    });
    const job = { template: { spec: { ...spec, restartPolicy: "Never" } } };
    await apply(cluster, { apiVersion: "batch/v1", kind: "Job", metadata, spec: job });
    for (const owner of ["replicasets", "jobs"]) {
      await waitFor(`the owner of ${owner} looked up`, () => did("webhooks", "get", owner));
    }
    await waitFor("an Event of the webhooks", () => did("webhooks", "create", "events"));
    await waitFor("its series", () => did("webhooks", "patch", "events"));
    await waitFor("an Event of the operator", () => did("operator", "create", "events"));
    await waitFor("a series of the operator's", async () => {
      await restored(["validatingadmissionpolicy", native], () =>
        kubectl("delete", "validatingadmissionpolicy", native),
      );
      return did("operator", "patch", "events");
    });
  });

  it("let a namespace be looked up that the cache has not seen yet", async () => {
    // What an API server sends that is ahead of our watch: nothing could hold the watch back from outside.
    const pod = restrictedPod("early", {}, "ahead-of-the-cache");
    const response = await review("/admit/policies/fail", {
      uid: "a",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      operation: "CREATE",
      name: "early",
      namespace: "ahead-of-the-cache",
      userInfo: { username: "somebody" },
      object: pod,
    });
    expect(response).toMatchObject({ uid: "a" });
    expect(await did("webhooks", "get", "namespaces", "ahead-of-the-cache")).toBe(true);
  });

  it("let certificates be rotated", async () => {
    const bundle = async (): Promise<unknown> =>
      (await read<{ webhooks: unknown[] }>(cluster, "validatingwebhookconfiguration", "shieldx-kinds"))
        ?.webhooks;
    const before = JSON.stringify(await bundle());
    await kubectl("annotate", "secret", "shieldx-webhooks-ca", "-n", namespace, "shieldx.io/rotate=ca:now");
    await waitFor("another CA", async () => JSON.stringify(await bundle()) !== before);
  });

  it("let metrics be scraped by who may", async () => {
    const token = await scraperToken(cluster);
    for (const target of [...shieldx.operators, ...shieldx.webhooks]) {
      expect((await scrape(target, token)).length).toBeGreaterThan(0);
    }
  });

  it("let another lead, and replicas leave", async () => {
    await kubectl("delete", "shieldpolicies", "--all");
    await waitFor(
      "no admission policy",
      async () => (await read(cluster, "validatingadmissionpolicy", native)) === undefined,
    );
    for (const name of ["shieldx-policies-fail", "shieldx-policies-ignore"]) {
      await waitFor(
        `no ${name}`,
        async () => (await read(cluster, "validatingwebhookconfiguration", name)) === undefined,
      );
    }
    const holder = async (): Promise<string | undefined> =>
      (
        await read<{ spec: { holderIdentity?: string } }>(
          cluster,
          "lease",
          "shieldx-operator",
          "-n",
          namespace,
        )
      )?.spec.holderIdentity;
    const former = await holder();
    await shieldx.operators[0]?.stop();
    await shieldx.operators[1]?.stop();
    await shieldx.startOperator();
    await waitFor("another leader", async () => ![former, "", undefined].includes(await holder()));
    await shieldx.webhooks[0]?.stop();
  });

  it.each(["operator", "webhooks"])("grant the %s what it uses and nothing else", async (component) => {
    const { undeclared, unused, requests } = await accountOf(component);
    console.log(`${component}: ${requests} distinct requests`);
    expect({ undeclared, unused }).toEqual({ undeclared: [], unused: [] });
  });
});
