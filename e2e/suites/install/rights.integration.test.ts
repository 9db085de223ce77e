// The roles the chart grants, held against what both processes do with them: nothing more is asked for, nothing is
// granted in vain. Judged by the API server's audit log.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { scrape, scraperToken } from "../../shieldx/metrics.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
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
  cluster = await startCluster({ name: "rights", audit: true });
  shieldx = await startShieldxOnHost(cluster, { operators: 2 });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

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

const fewReplicas: Manifest = {
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name: "few-replicas" },
  spec: {
    engine: "cel",
    matchConstraints: {
      resourceRules: [
        { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
      ],
    },
    validations: [{ expression: "object.spec.replicas <= 5" }],
    actions: { admission: "deny" },
  },
};
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
    match: { resources: [{ kind: "Pod", names: ["excepted"] }] },
  },
};

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
    await enforce(cluster, fewReplicas);
    expect((await tryCreate(cluster, restrictedPod("bad", { hostNetwork: true }))).allowed).toBe(false);
    expect(await apply(cluster, exception)).toMatchObject({ allowed: true });
    await untilCondition(cluster, ["shieldexception", "for-a-day", "-n", "tenant"], "Ready", "True");
    for (const kind of ["validatingadmissionpolicy", "validatingadmissionpolicybinding"]) {
      await restored([kind, native], () => kubectl("delete", kind, native));
      await restored([kind, native], () =>
        kubectl(
          "patch",
          kind,
          native,
          "--type=merge",
          "-p",
          kind.endsWith("policy")
            ? '{"spec":{"failurePolicy":"Ignore"}}'
            : '{"spec":{"validationActions":["Audit"]}}',
        ),
      );
    }
    for (const name of ["shieldx-policies-fail", "shieldx-policies-ignore"]) {
      const what = ["validatingwebhookconfiguration", name];
      await restored(what, () => kubectl("delete", ...what));
      await restored(what, () =>
        kubectl(
          "patch",
          ...what,
          "--type=json",
          "-p",
          '[{"op":"replace","path":"/webhooks/0/timeoutSeconds","value":1}]',
        ),
      );
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
    await apply(cluster, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "refused", namespace: "tenant" },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "refused" } },
        template: { metadata: { labels: { app: "refused" } }, spec },
      },
    });
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

  it("let a namespace that is seconds old be looked up", async () => {
    let count = 0;
    await waitFor("a namespace read", async () => {
      const name = `new-${count++}`;
      const pod = restrictedPod("good", {}, name);
      const items = [{ apiVersion: "v1", kind: "Namespace", metadata: { name } }, pod];
      await cluster.kubectl(["create", "-f", "-"], {
        input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
      });
      return did("webhooks", "get", "namespaces");
    });
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
