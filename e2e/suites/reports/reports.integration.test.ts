// Reports of more than fits: caps, what sums up, what is written and what is not, seen from outside.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import {
  chartValues,
  createAll,
  createNamespace,
  type FoundReport,
  labelPolicy,
  reportsIn,
  role,
  statusOf,
  writesOf,
} from "./audited-roles.ts";

const perNamespace = 3;
let cluster: Cluster;
let shieldx: ShieldxOnHost;

const counts = async (policy: string) => (await statusOf(cluster, policy))?.counts;
const named = (reports: readonly FoundReport[]) => reports.map(({ scope }) => scope.name).sort();
const summary = (reports: readonly FoundReport[]) =>
  reports.find(({ metadata }) => metadata.name === "shieldx-summary");
const label = (namespace: string, name: string, ...labels: string[]) =>
  mustKubectl(cluster, ["label", "--overwrite", "role", name, "-n", namespace, ...labels]);

beforeAll(async () => {
  cluster = await startCluster({ name: "reports", audit: true });
  const operatorArgs = ["--audit-reports=6", `--audit-reports-per-namespace=${perNamespace}`];
  shieldx = await startShieldxOnHost(cluster, { webhooks: 0, operatorArgs, chartValues });
  for (const name of ["loud", "quiet", "hostile"]) await createNamespace(cluster, name);
  await createAll(cluster, [
    ...Array.from({ length: 10 }, (_, at) => role(`r${at}`, "loud")),
    role("q0", "quiet"),
    role("q1", "quiet", { team: "a" }),
  ]);
  for (const policy of [
    labelPolicy("owned", "owner"),
    labelPolicy("team", "team", { actions: { admission: "warn", background: "audit" } }),
  ]) {
    expect(await apply(cluster, policy)).toMatchObject({ allowed: true });
  }
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

describe("reports", () => {
  it("are of some objects where a namespace has many, and one counts all of them, as the policy does", async () => {
    await waitFor("all counted", async () => (await counts("owned"))?.withoutReport === 7);
    expect(await counts("owned")).toMatchObject({ checked: 12, violating: 12, violations: 12 });
    expect(await counts("team")).toMatchObject({ checked: 12, violating: 11, withoutReport: 7 });
    const loud = await waitFor("reports", async () => {
      const found = await reportsIn(cluster, "loud");
      return found.length === perNamespace + 1 && summary(found) !== undefined ? found : undefined;
    });
    expect(summary(loud)).toMatchObject({
      scope: { kind: "Namespace", name: "loud" },
      summary: { fail: 10, warn: 10 },
      results: [
        { policy: "(all)", properties: { objects: "10", withoutReport: "7" } },
        { policy: "owned", result: "fail", properties: { objects: "10", findings: "10" } },
        { policy: "team", result: "warn", properties: { objects: "10" } },
      ],
    });
    const own = loud.find(({ scope }) => scope.kind === "Role");
    expect(own).toMatchObject({
      summary: { fail: 1, warn: 1 },
      results: [
        { policy: "owned", result: "fail", message: `${own?.scope.name} has no label owner` },
        { policy: "team", result: "warn" },
      ],
    });
    await waitFor("both", async () => named(await reportsIn(cluster, "quiet")).join() === "q0,q1");
  });

  it("are not written while objects change in what no policy looks at, nor by an operator that starts", async () => {
    const before = new Map(
      (await reportsIn(cluster, "loud")).map((r) => [r.metadata.name, r.metadata.resourceVersion]),
    );
    const written = (await writesOf(cluster)).length;
    for (let at = 0; at < 10; at++) await label("loud", `r${at}`, "other=label");
    await shieldx.operators.at(-1)?.stop();
    await shieldx.startOperator();
    // One that does change: when it is written, so would have been all that was before it.
    await label("quiet", "q1", "owner=b");
    await waitFor("one mended", async () => named(await reportsIn(cluster, "quiet")).join() === "q0");
    await waitFor("counted", async () => (await counts("owned"))?.violating === 11);
    const after = (await writesOf(cluster)).slice(written);
    expect(after.filter((each) => each.includes(" reports/"))).toHaveLength(1);
    expect(after.filter((each) => each.includes(" shieldpolicies/"))).toEqual(["patch shieldpolicies/owned"]);
    expect(
      new Map((await reportsIn(cluster, "loud")).map((r) => [r.metadata.name, r.metadata.resourceVersion])),
    ).toEqual(before);
  });

  it("give a place that is free to the next, and are gone where nothing is left to sum up", async () => {
    const first = named(await reportsIn(cluster, "loud"));
    const [mended = ""] = first.filter((name) => name.startsWith("r"));
    await label("loud", mended, "owner=a", "team=a");
    const next = await waitFor("another in its place", async () => {
      const found = named(await reportsIn(cluster, "loud"));
      return found.length === perNamespace + 1 && !found.includes(mended) ? found : undefined;
    });
    expect(next.filter((name) => first.includes(name))).toHaveLength(perNamespace);
    await waitFor("summed up anew", async () => {
      const [all] = summary(await reportsIn(cluster, "loud"))?.results ?? [];
      return all?.properties?.objects === "9" && all.properties.withoutReport === "6";
    });
    const others = Array.from({ length: 10 }, (_, at) => `r${at}`).filter((name) => !next.includes(name));
    await mustKubectl(cluster, ["delete", "role", "-n", "loud", ...others]);
    await waitFor("no sum", async () => (await reportsIn(cluster, "loud")).length === perNamespace);
    await waitFor("none without", async () => {
      const found = await counts("owned");
      return found !== undefined && found.withoutReport === undefined;
    });
  });

  it("are put back when somebody edits or deletes them", async () => {
    const [report] = await reportsIn(cluster, "quiet");
    const name = report?.metadata.name ?? "";
    const patch = JSON.stringify({ results: [], summary: { fail: 0 } });
    const where = ["report.openreports.io", name, "-n", "quiet"];
    await mustKubectl(cluster, ["patch", ...where, "--type=merge", "-p", patch]);
    const isBack = async () => (await reportsIn(cluster, "quiet"))[0]?.summary.fail === 1;
    await waitFor("put back", isBack);
    await mustKubectl(cluster, ["delete", ...where]);
    await waitFor("there again", isBack);
  });

  it("bear whatever objects are called, and are written once for each", async () => {
    const names = [
      "\u001b[31mred\u001b[0m",
      "line\nbreak",
      `long-${"x".repeat(600)}`,
      `😀${"é".repeat(300)}`,
      "__proto__",
      "<script>alert(1)<script>",
      "{{ $labels }}",
      "..-..",
    ];
    await mustKubectl(cluster, ["delete", "role", "--all", "-n", "loud"]);
    await createAll(
      cluster,
      names.map((name) => role(name, "hostile")),
    );
    await waitFor("all counted", async () => (await counts("owned"))?.violating === names.length + 1);
    const found = await waitFor("reports", async () => {
      const reports = await reportsIn(cluster, "hostile");
      return summary(reports)?.summary.fail === names.length && reports.length === perNamespace + 1
        ? reports
        : undefined;
    });
    for (const { results, scope, metadata } of found) {
      expect(metadata.name).toMatch(/^shieldx-[0-9a-z-]+$/);
      if (scope.kind === "Role") expect(names).toContain(scope.name);
      for (const { message } of results) expect(message).not.toMatch(/\p{Cc}/u);
    }
    const { worstOffenders = [] } = (await statusOf(cluster, "owned")) ?? {};
    expect(worstOffenders).toHaveLength(names.length + 1);
    for (const { name } of worstOffenders) expect(name.length).toBeLessThanOrEqual(253);
    const written = (await writesOf(cluster)).length;
    await label("quiet", "q0", "owner=b", "team=a");
    await waitFor("mended", async () => (await reportsIn(cluster, "quiet")).length === 0);
    await waitFor("counted", async () => (await counts("owned"))?.violating === names.length);
    expect(
      (await writesOf(cluster)).slice(written).filter((each) => each.includes(" reports/")),
    ).toHaveLength(1);
  });

  it("end with what an exception lets off, however much that is, which stays counted", async () => {
    expect(
      await apply(
        cluster,
        labelPolicy("owned", "owner", { exceptions: { namespaces: { names: ["hostile"] } } }),
      ),
    ).toMatchObject({ allowed: true });
    const exception = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "all", namespace: "hostile" },
      spec: {
        policies: ["owned"],
        owner: "team",
        reason: "as much as can be asked for at once",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        match: { kinds: ["Role"] },
      },
    };
    expect(await apply(cluster, exception)).toMatchObject({ allowed: true });
    await waitFor("let off", async () => (await counts("owned"))?.exempted === 8);
    expect((await counts("owned"))?.violating).toBe(0);
    await waitFor("only what is left is reported", async () => {
      const reports = await reportsIn(cluster, "hostile");
      return reports.every(({ results }) => results.every(({ policy }) => policy !== "owned"));
    });
    expect((await counts("team"))?.violating).toBe(8);
  });

  it("of a tenant's policy are beside those of the cluster's, however much it finds", async () => {
    await createNamespace(cluster, "noisy");
    const deployment = (name: string) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace: "noisy" },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: "main", image: "none.invalid/none" }] },
        },
      },
    });
    await createAll(
      cluster,
      Array.from({ length: 8 }, (_, at) => deployment(`d${at}`)),
    );
    const policy = labelPolicy("labelled", "owner");
    const deployments = {
      apiGroups: ["apps"],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["deployments"],
    };
    const tenants = {
      ...policy,
      kind: "NamespacedShieldPolicy",
      metadata: { name: "labelled", namespace: "noisy" },
      spec: { ...(policy.spec as object), matchConstraints: { resourceRules: [deployments] } },
    };
    expect(await apply(cluster, tenants)).toMatchObject({ allowed: true });
    const kindsIn = async (namespace: string) =>
      (await reportsIn(cluster, namespace)).map(({ scope }) => scope.kind).sort();
    // A quarter of three places in a namespace, and one that sums up.
    await waitFor(
      "the tenant's reports",
      async () => (await kindsIn("noisy")).join() === "Deployment,Namespace",
    );
    await createAll(
      cluster,
      ["n0", "n1", "n2"].map((name) => role(name, "noisy")),
    );
    const all = ["Deployment", "Namespace", "Role", "Role", "Role"];
    await waitFor("the cluster's beside", async () => (await kindsIn("noisy")).join() === all.join());
    const summed = summary(await reportsIn(cluster, "noisy"))?.results.map(({ policy: name }) => name);
    expect(summed).toEqual(["(all)", "owned", "team", "noisy/labelled"]);
    await mustKubectl(cluster, ["delete", "namespacedshieldpolicy", "labelled", "-n", "noisy"]);
  });

  it("are all gone once no policy audits", async () => {
    await mustKubectl(cluster, ["delete", "shieldpolicies", "--all"]);
    await waitFor("none", async () => {
      const { stdout } = await cluster.kubectl(["get", "reports.openreports.io", "-A", "-o", "name"]);
      return stdout.trim() === "";
    });
  });
});
