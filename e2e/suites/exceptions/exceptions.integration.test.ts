// Exceptions from outside: who may make them and is named for it, what is counted, and which nothing needs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { scrape, scraperToken } from "../../shieldx/metrics.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
let cluster: Cluster;
let shieldx: ShieldxOnHost;
const tenant = ["--as=tenant"];
const deployer = ["--as=system:serviceaccount:shop:deployer"];
const approver = ["--as=approver"];

const exception = (name: string, policies: string[], match: Manifest): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "shop" },
  spec: {
    policies,
    owner: "team-shop",
    reason: "the driver needs the host's network until it is replaced",
    expiresAt: new Date(Date.now() + 10 * 3_600_000).toISOString(),
    match,
  },
});
const legacy = exception("legacy", ["guarded"], { kinds: ["Pod"], names: ["legacy-*"] });

interface Found {
  readonly status?: {
    readonly usage?: { readonly count?: number; readonly objects?: number; readonly lastUsed?: string };
    readonly approvedBy?: { readonly user: string; readonly generation: number };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}
const statusOf = async (name: string) =>
  (await read<Found>(cluster, "shieldexception", name, "-n", "shop"))?.status;
const unused = async (name: string) => {
  const found = (await statusOf(name))?.conditions?.find(({ type }) => type === "Unused");
  return found && `${found.status} ${found.reason}`;
};
const usedTimes = (count: number) =>
  waitFor(`used ${count} times`, async () => (await statusOf("legacy"))?.usage?.count === count, {
    timeoutMs: 60_000,
  });
const kubectl = (args: readonly string[], object?: Manifest) =>
  cluster.kubectl([...args], object === undefined ? {} : { input: JSON.stringify(object) });
const needy = (name: string) => restrictedPod(name, { hostNetwork: true }, "shop");
const create = (name: string, ...flags: string[]) => kubectl(["create", "-f", "-", ...flags], needy(name));

beforeAll(async () => {
  cluster = await startCluster({ name: "exceptions" });
  shieldx = await startShieldxOnHost(cluster, { operatorArgs: ["--exception-unused-after=4s"] });
  await mustKubectl(cluster, ["create", "namespace", "shop"]);
  await mustKubectl(cluster, ["label", "namespace", "shop", "team=shop"]);
  await mustKubectl(cluster, ["create", "serviceaccount", "deployer", "-n", "shop"]);
  const bind = (name: string, role: string, ...subject: string[]) =>
    mustKubectl(cluster, ["create", "rolebinding", name, "-n", "shop", `--clusterrole=${role}`, ...subject]);
  await bind("tenant", "admin", "--user=tenant");
  await bind("deployer", "edit", "--serviceaccount=shop:deployer");
  await bind("approver", "shieldx-approver", "--user=approver");
  await enforce(
    cluster,
    podSecurityPolicy("guarded", {
      matchConstraints: { namespaceSelector: { matchLabels: { team: "shop" } } },
      exceptions: { namespaces: { names: ["shop"] } },
    }),
  );
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

describe("who may make exceptions", () => {
  it("an approver, who is named for it, also for what he changes later", async () => {
    const made = await apply(cluster, legacy, ...approver);
    expect(made).toMatchObject({ allowed: true });
    await waitFor("approved", async () => (await statusOf("legacy"))?.approvedBy?.user === "approver");
    const wider = exception("legacy", ["guarded"], { kinds: ["Pod"], names: ["legacy-*", "older-*"] });
    expect(await apply(cluster, wider)).toMatchObject({ allowed: true });
    await waitFor(
      "the change approved",
      async () => (await statusOf("legacy"))?.approvedBy?.generation === 2,
    );
    expect((await statusOf("legacy"))?.approvedBy?.user).not.toBe("approver");
  });

  it.each([
    ["admin of his namespace", tenant],
    ["ServiceAccount with edit", deployer],
  ])("not the %s: neither made, widened, taken nor labelled around", async (_, as) => {
    const forbidden = async (args: string[], object?: Manifest) => {
      const { code, stderr } = await kubectl([...args, ...as], object);
      expect(code, args.join(" ")).not.toBe(0);
      expect(stderr, args.join(" ")).toContain("forbidden");
    };
    const own = exception("own", ["guarded"], { names: ["web"] });
    const ns = ["-n", "shop"];
    await forbidden(["create", "-f", "-"], own);
    await forbidden(["apply", "--server-side", "-f", "-"], legacy);
    const wider = JSON.stringify({ spec: { match: { names: ["a*"] } } });
    await forbidden(["patch", "shieldexception", "legacy", ...ns, "--type=merge", "-p", wider]);
    const status = JSON.stringify({ status: { approvedBy: { user: "somebody", generation: 9 } } });
    await forbidden([
      "patch",
      "shieldexception",
      "legacy",
      ...ns,
      "--subresource=status",
      "--type=merge",
      "-p",
      status,
    ]);
    await forbidden(["delete", "shieldexception", "legacy", ...ns]);
    await forbidden(["label", "namespace", "shop", "team-"]);
    await forbidden(["delete", "shieldpolicy", "guarded"]);
    await forbidden([
      "patch",
      "shieldpolicy",
      "guarded",
      "--type=merge",
      "-p",
      '{"spec":{"actions":{"admission":"off"}}}',
    ]);
    await forbidden([
      "create",
      "rolebinding",
      "self",
      ...ns,
      "--clusterrole=shieldx-approver",
      "--user=tenant",
    ]);
    expect((await create("web", "--dry-run=server", ...as)).stderr).toContain('ShieldPolicy "guarded"');
    // What is his may be made.
    expect(
      (await kubectl(["create", "-f", "-", "--dry-run=server", ...as], restrictedPod("fine", {}, "shop")))
        .code,
    ).toBe(0);
  });

  it("nor slips a change under a policy by taking off, in the same step, the label it selects by", async () => {
    const guard = podSecurityPolicy("labelled", {
      matchConstraints: { objectSelector: { matchLabels: { guarded: "yes" } } },
    });
    await enforce(cluster, guard);
    await mustKubectl(cluster, ["create", "namespace", "field"]);
    await mustKubectl(cluster, [
      "create",
      "rolebinding",
      "tenant",
      "-n",
      "field",
      "--clusterrole=admin",
      "--user=tenant",
    ]);
    const workload = (labels: Manifest, spec: Manifest): Manifest => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "field", labels },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: { ...(restrictedPod("x").spec as object), ...spec },
        },
      },
    });
    expect((await kubectl(["create", "-f", "-", ...tenant], workload({ guarded: "yes" }, {}))).code).toBe(0);
    const around = await kubectl(["replace", "-f", "-", ...tenant], workload({}, { hostNetwork: true }));
    expect(around.stderr).toContain('ShieldPolicy "labelled"');
  });

  it("nobody for everything", async () => {
    const matches: Manifest[] = [
      {},
      { objectSelector: {} },
      { names: ["*"] },
      { kinds: ["*"] },
      { objectSelector: { matchExpressions: [{ key: "never", operator: "DoesNotExist" }] } },
      { objectSelector: { matchExpressions: [{ key: "never", operator: "NotIn", values: ["a"] }] } },
    ];
    for (const match of matches) {
      const { allowed } = await apply(cluster, exception("all", ["guarded"], match));
      expect(allowed, JSON.stringify(match)).toBe(false);
    }
  });
});

describe("what is covered", () => {
  it.each(["Native", "Webhook"])(
    "is in the namespace, which the Namespace itself is not (%s)",
    async (evaluation) => {
      const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"] };
      const closed = replicaLimit("closed", {
        evaluation,
        exceptions: { namespaces: { names: ["shop"] } },
        matchConstraints: { resourceRules: [{ ...rule, resources: ["configmaps", "namespaces"] }] },
        validations: [{ expression: "!has(object.metadata.labels.open)", message: "stays closed" }],
      });
      await enforce(cluster, closed);
      expect(await apply(cluster, exception("open", ["closed"], { names: ["shop"] }))).toMatchObject({
        allowed: true,
      });
      const metadata = { name: "shop", namespace: "shop", labels: { open: "yes" } };
      const create = ["create", "-f", "-", "--dry-run=server"];
      await waitFor("covered", async () => {
        const { code } = await kubectl(create, { apiVersion: "v1", kind: "ConfigMap", metadata });
        return code === 0;
      });
      const labelled = await kubectl(["label", "namespace", "shop", "open=yes", "--dry-run=server"]);
      expect(labelled.stderr).toContain("stays closed");
      const refused = await apply(cluster, exception("open", ["closed"], { kinds: ["Namespace"] }));
      expect(refused).toMatchObject({
        allowed: false,
        message: expect.stringContaining("spec.match.kinds: "),
      });
      await mustKubectl(cluster, ["delete", "shieldexception/open", "-n", "shop"]);
      await mustKubectl(cluster, ["delete", "shieldpolicy/closed"]);
    },
  );
});

describe("what is counted", () => {
  it("is each request that passed, over restarts of replicas and operators", async () => {
    expect((await create("legacy-0", "--dry-run=server")).code).toBe(0);
    for (const name of ["legacy-1", "legacy-2"]) expect((await create(name)).code).toBe(0);
    await usedTimes(2);
    await waitFor("two objects need it", async () => (await statusOf("legacy"))?.usage?.objects === 2);
    expect(await unused("legacy")).toBe("False Needed");
    // Counted in the last moment of a replica's life, and by the one that follows.
    expect((await create("legacy-3")).code).toBe(0);
    await shieldx.webhooks.at(-1)?.stop();
    await shieldx.startWebhooks();
    expect((await create("legacy-4")).code).toBe(0);
    await usedTimes(4);
    // An operator that dies loses nothing, and the next adds nothing twice.
    await shieldx.operators.at(-1)?.kill();
    expect((await create("legacy-5")).code).toBe(0);
    await shieldx.startOperator();
    await usedTimes(5);
  });

  it("makes those known that nothing needs, by condition and one Event", async () => {
    // It was unused once before, between its making and its first use.
    const events = async () => {
      const selector = "--field-selector=reason=Unused";
      const { stdout } = await kubectl(["get", "events.events.k8s.io", "-n", "shop", selector, "-o", "json"]);
      return (JSON.parse(stdout) as { items: { regarding: { name: string }; note: string }[] }).items;
    };
    const before = await events();
    await mustKubectl(cluster, ["delete", "pods", "--all", "-n", "shop", "--force", "--grace-period=0"]);
    await waitFor("unused", async () => (await unused("legacy")) === "True Unused", { timeoutMs: 60_000 });
    const { usage } = (await statusOf("legacy")) ?? {};
    expect(usage).toMatchObject({ count: 5, objects: 0 });
    const operator = shieldx.operators.at(-1);
    if (operator === undefined) throw new Error("no operator runs");
    const token = await scraperToken(cluster);
    const states = await waitFor("counted as unused", async () => {
      const samples = (await scrape(operator, token)).filter(({ name }) => name === "shieldx_exceptions");
      const found = Object.fromEntries(samples.map(({ labels, value }) => [labels.state, value]));
      return found.unused === 1 ? found : undefined;
    });
    expect(states).toEqual({ active: 0, unused: 1, expired: 0 });
    const told = await waitFor("an Event", async () => {
      const found = await events();
      return found.length > before.length ? found : undefined;
    });
    expect(told).toHaveLength(before.length + 1);
    expect(told.at(-1)).toMatchObject({ regarding: { name: "legacy" } });
    expect(told.some(({ note }) => note.includes(`since ${usage?.lastUsed}`))).toBe(true);
  });

  it("is shown by shieldctl, by what people ask for", async () => {
    const run = async (...args: string[]) => {
      const command = [shieldctl, "exceptions", "--kubeconfig", cluster.kubeconfig, ...args];
      const { code, stdout } = await runCommand(process.execPath, command);
      return { code, out: stdout };
    };
    const all = await run();
    expect(all).toMatchObject({ code: 0 });
    expect(all.out).toMatch(/^NAMESPACE +NAME +POLICIES +OWNER +EXPIRES IN +USED +HONOURED/);
    expect(all.out).toMatch(/shop +legacy +guarded +team-shop +9h +5 +yes +unused/);
    expect((await run("--unused", "--expiring", "14d", "-o", "json")).out).toContain('"used": 5');
    expect((await run("--expiring", "1h", "-o", "json")).out.trim()).toBe("[]");
    expect((await run("--expiring", "soon")).code).toBe(2);
  });

  it("is not claimed of policies whose requests the API server judges, unless the audit sees", async () => {
    const limit = (background: string) =>
      replicaLimit("few", {
        exceptions: { namespaces: { names: ["shop"] } },
        actions: { admission: "deny", background },
      });
    await enforce(cluster, limit("off"));
    const large = exception("large", ["few"], { kinds: ["Deployment"], names: ["large"] });
    expect(await apply(cluster, large)).toMatchObject({ allowed: true });
    await waitFor("not observed", async () => (await unused("large")) === "Unknown NotObserved");
    const deploy = [
      "create",
      "deployment",
      "large",
      "-n",
      "shop",
      "--image=none.invalid/none",
      "--replicas=9",
    ];
    await waitFor("the exception holds", async () => (await kubectl(deploy)).code === 0);
    await enforce(cluster, limit("audit"));
    await waitFor("needed", async () => (await unused("large")) === "False Needed", { timeoutMs: 60_000 });
    await mustKubectl(cluster, ["delete", "deployment", "large", "-n", "shop"]);
    await waitFor("unused", async () => (await unused("large")) === "True Unused", { timeoutMs: 60_000 });
    const told = (await statusOf("large"))?.conditions?.find(({ type }) => type === "Unused");
    expect(told?.message).toContain('only existing objects tell for ShieldPolicy "few"');
  });
});
