import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply, type Manifest, read, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;

/** Generators and clean-ups, seen from outside: what appears, is put right, stays, and goes. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "generation" });
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: {
      "rbac.generatedKinds": "{NetworkPolicy,ResourceQuota}",
      "rbac.cleanedKinds[0].resources": "{configmaps}",
      "rbac.cleanedKinds[0].apiGroup": "",
    },
  });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const kubectl = (...args: string[]): Promise<string> => mustKubectl(cluster, args);

interface Live {
  readonly metadata: {
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly hard?: Readonly<Record<string, string>>;
    readonly policyTypes?: readonly string[];
  };
  readonly data?: Readonly<Record<string, string>>;
}

const find = (kind: string, namespace: string, name: string): Promise<Live | undefined> =>
  read<Live>(cluster, kind, name, "-n", namespace);
const until = (
  kind: string,
  namespace: string,
  name: string,
  holds: (object: Live) => boolean = () => true,
) =>
  waitFor(`${kind} ${namespace}/${name}`, async () => {
    const object = await find(kind, namespace, name);
    return object !== undefined && holds(object) ? object : undefined;
  });
const untilGone = (kind: string, namespace: string, name: string) =>
  waitFor(`${kind} ${namespace}/${name} gone`, async () => (await find(kind, namespace, name)) === undefined);

function generator(name: string, spec: Manifest): Manifest {
  return { apiVersion: "shieldx.io/v1alpha1", kind: "ShieldGenerator", metadata: { name }, spec };
}

const denyAll = {
  name: "deny",
  object: {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "default-deny" },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  },
};
/** As a template has it. */
const cel = (expression: string): string => `\${${expression}}`;
const quota = (pods: string) => ({
  name: "quota",
  object: {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "team" },
    spec: { hard: { pods, services: "5" } },
  },
});
const basics = (pods = cel("namespaceObject.metadata.?annotations[?'example.com/pods'].orValue('10')")) =>
  generator("basics", {
    namespaceSelector: { matchLabels: { tenant: "yes" } },
    matchConditions: [
      { name: "not-sandbox", expression: "!namespaceObject.metadata.name.startsWith('sandbox-')" },
    ],
    objects: [denyAll, quota(pods)],
  });

async function namespace(name: string, ...labels: string[]): Promise<void> {
  await kubectl("create", "namespace", name);
  if (labels.length > 0) await kubectl("label", "namespace", name, ...labels);
}

async function mustApply(object: Manifest): Promise<void> {
  const outcome = await apply(cluster, object);
  expect(outcome.allowed, outcome.message).toBe(true);
}

const problemsOf = async (name: string) =>
  (
    await read<{
      status?: { problems?: { namespace: string; object?: string; reason: string; message: string }[] };
    }>(cluster, "shieldgenerator", name)
  )?.status?.problems ?? [];

describe("a ShieldGenerator", () => {
  it("makes its objects in namespaces there are and in new ones, with values of the namespace", async () => {
    await namespace("a", "tenant=yes");
    await namespace("sandbox-a", "tenant=yes");
    await mustApply(basics());
    await until("networkpolicy", "a", "default-deny");
    await namespace("b", "tenant=yes");
    await kubectl("annotate", "namespace", "b", "example.com/pods=7");
    await until("networkpolicy", "b", "default-deny");
    const made = await until("resourcequota", "b", "team", ({ spec }) => spec.hard?.pods === "7");
    expect(made.metadata.labels).toMatchObject({
      "app.kubernetes.io/managed-by": "shieldx-operator",
      "shieldx.io/generator": "basics",
    });
    await untilCondition(cluster, ["shieldgenerator", "basics"], "Ready", "True");
    const { status } = (await read<{ status: object }>(cluster, "shieldgenerator", "basics")) ?? {};
    expect(status).toMatchObject({ namespaces: 2, objects: 4, inStep: 4 });
    expect(await find("networkpolicy", "sandbox-a", "default-deny")).toBeUndefined();
    expect(await find("networkpolicy", "kube-system", "default-deny")).toBeUndefined();
  });

  it("puts right what it has written and leaves alone what others added", async () => {
    const add = JSON.stringify({ spec: { hard: { pods: "99", secrets: "3" } } });
    await kubectl("patch", "resourcequota", "team", "-n", "a", "--type=merge", "-p", add);
    const mended = await until("resourcequota", "a", "team", ({ spec }) => spec.hard?.pods === "10");
    expect(mended.spec.hard).toMatchObject({ secrets: "3", services: "5" });
    const { metadata: before } = await until("networkpolicy", "a", "default-deny");
    await kubectl("delete", "networkpolicy", "default-deny", "-n", "a");
    await until("networkpolicy", "a", "default-deny", ({ metadata }) => metadata.uid !== before.uid);
    await waitFor("an Event of it", async () =>
      (await kubectl("get", "events", "-A", "-o", "json")).includes("was changed and is put right"),
    );
  });

  it("takes fields away again that it no longer has", async () => {
    const fewer = generator("basics", {
      ...(basics().spec as Manifest),
      objects: [
        denyAll,
        { ...quota("10"), object: { ...quota("10").object, spec: { hard: { pods: "10" } } } },
      ],
    });
    await mustApply(fewer);
    const left = await until("resourcequota", "a", "team", ({ spec }) => spec.hard?.services === undefined);
    expect(left.spec.hard).toEqual({ pods: "10", secrets: "3" });
    await mustApply(basics("10"));
    await until("resourcequota", "a", "team", ({ spec }) => spec.hard?.services === "5");
  });

  it("never touches what it did not make, and says so", async () => {
    await kubectl("create", "namespace", "c");
    await kubectl("create", "quota", "team", "-n", "c", "--hard=pods=1");
    const before = await until("resourcequota", "c", "team");
    await kubectl("label", "namespace", "c", "tenant=yes");
    await until("networkpolicy", "c", "default-deny");
    const told = await waitFor("the conflict", async () => (await problemsOf("basics"))[0]);
    expect(told).toMatchObject({ namespace: "c", object: "ResourceQuota team", reason: "NotOurs" });
    expect(told.message).toContain("left alone");
    expect(await find("resourcequota", "c", "team")).toEqual(before);
    // A copy of one of its objects bears the label and is no more its own.
    const copy = (await until("networkpolicy", "a", "default-deny")) as unknown as { spec: Manifest };
    await mustApply({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "copied", namespace: "default", labels: { "shieldx.io/generator": "basics" } },
      spec: copy.spec,
    });
    await kubectl("delete", "resourcequota", "team", "-n", "c");
    await kubectl("annotate", "namespace", "c", "looked=again");
    await until(
      "resourcequota",
      "c",
      "team",
      ({ metadata }) => metadata.labels?.["shieldx.io/generator"] === "basics",
    );
    await untilCondition(cluster, ["shieldgenerator", "basics"], "Ready", "True");
    expect(await find("networkpolicy", "default", "copied")).toBeDefined();
  });

  it("refuses what it cannot make, with the field and the remedy", async () => {
    const refusedBecause = async (object: Manifest, problem: string): Promise<void> => {
      const outcome = await apply(
        cluster,
        generator("bad", { namespaceSelector: {}, objects: [{ name: "x", object }] }),
      );
      expect(outcome.allowed).toBe(false);
      expect(outcome.message).toContain(problem);
    };
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } };
    await refusedBecause(secret, "spec.objects[0].object.kind: v1 Secret is not among the kinds");
    const limits = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "x" } };
    await refusedBecause(
      { ...limits, metadata: { name: cel("'x'") } },
      "object.metadata.name: must be written out",
    );
    await refusedBecause({ ...limits, spec: cel("nobody") }, "spec.objects[0].object.spec: line 1, column 1");
  });

  it("says which right is missing, and where it is granted", async () => {
    const object = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "x" }, spec: { limits: [] } };
    await mustApply(
      generator("ungranted", {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "a" } },
        objects: [{ name: "x", object }],
      }),
    );
    const told = await untilCondition(cluster, ["shieldgenerator", "ungranted"], "Ready", "False");
    const [condition] = told.status?.conditions ?? [];
    expect(condition).toMatchObject({ reason: "MissingRights" });
    expect(condition?.message).toContain("Add LimitRange to rbac.generatedKinds");
    await kubectl("delete", "shieldgenerator", "ungranted");
  });

  it("leaves an object alone for a while that somebody changes as often as it is put right, and that object only", async () => {
    await namespace("fought", "fought=yes");
    await namespace("calm", "fought=yes");
    await mustApply(
      generator("fought", {
        namespaceSelector: { matchLabels: { fought: "yes" } },
        objects: [quota("3"), denyAll],
      }),
    );
    await untilCondition(cluster, ["shieldgenerator", "fought"], "Ready", "True");
    const theirs = '{"spec":{"hard":{"pods":"99"}}}';
    const change = (space: string) =>
      kubectl("patch", "resourcequota", "team", "-n", space, "--type=merge", "-p", theirs);
    let changes = 0;
    const told = await waitFor("the contest is told", async () => {
      const { spec } = await until("resourcequota", "fought", "team");
      if (spec.hard?.pods === "3") {
        await change("fought");
        changes++;
        return undefined; // what is told may be about what was put right a moment ago
      }
      return (await problemsOf("fought")).find(({ reason }) => reason === "Contested");
    });
    // It was made once and put right four times.
    expect(changes).toBeLessThanOrEqual(6);
    expect(told).toMatchObject({ namespace: "fought", object: "ResourceQuota team" });
    expect(told.message).toContain("managedFields");
    await untilCondition(cluster, ["shieldgenerator", "fought"], "Ready", "False");
    const { code, stdout } = await runCommand(process.execPath, [
      ...[shieldctl, "status", "--kubeconfig", cluster.kubeconfig],
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain("! ShieldGenerator fought is not ready: Contested: 1 of 4 objects");
    expect(stdout).toMatch(/ShieldGenerator +2, 1 not ready\n/);
    await change("calm");
    await until("resourcequota", "calm", "team", ({ spec }) => spec.hard?.pods === "3");
    await kubectl("delete", "networkpolicy", "default-deny", "-n", "fought");
    await until("networkpolicy", "fought", "default-deny");
    expect((await find("resourcequota", "fought", "team"))?.spec.hard?.pods).toBe("99");
    await waitFor("an Event in the namespace", async () =>
      (await kubectl("get", "events", "-A", "-o", "json")).includes('"reason": "Contested"'),
    );
  });

  it("goes on where it was after a restart: what changed meanwhile is put right, what was taken over stays", async () => {
    await Promise.all(shieldx.operators.splice(0).map((operator) => operator.stop()));
    await kubectl("delete", "networkpolicy", "default-deny", "-n", "a");
    await kubectl("label", "resourcequota", "team", "-n", "b", "shieldx.io/generator-");
    await kubectl("label", "namespace", "c", "tenant-");
    const untouched = await until("networkpolicy", "b", "default-deny");
    await shieldx.startOperator();
    await until("networkpolicy", "a", "default-deny");
    await untilGone("networkpolicy", "c", "default-deny");
    await untilGone("resourcequota", "c", "team");
    expect(await find("resourcequota", "b", "team")).toBeDefined();
    expect(await find("networkpolicy", "b", "default-deny")).toEqual(untouched);
    await waitFor("told", async () =>
      (await problemsOf("basics")).some((each) => each.namespace === "b" && each.reason === "NotOurs"),
    );
  });

  it("removes all it has made with the generator, and nothing else", async () => {
    await kubectl("create", "namespace", "once");
    await kubectl("label", "namespace", "once", "once=yes");
    await mustApply(
      generator("once", {
        namespaceSelector: { matchLabels: { once: "yes" } },
        objects: [{ ...quota("3"), synchronize: false }],
      }),
    );
    await until("resourcequota", "once", "team");
    await kubectl(
      "patch",
      "resourcequota",
      "team",
      "-n",
      "once",
      "--type=merge",
      "-p",
      '{"spec":{"hard":{"pods":"4"}}}',
    );
    await kubectl("delete", "shieldgenerator", "basics", "once", "fought");
    for (const name of ["a", "b"]) await untilGone("networkpolicy", name, "default-deny");
    await untilGone("resourcequota", "a", "team");
    // Contested or not.
    await untilGone("resourcequota", "fought", "team");
    expect(await find("resourcequota", "b", "team")).toBeDefined();
    expect(await find("networkpolicy", "default", "copied")).toBeDefined();
    expect((await find("resourcequota", "once", "team"))?.spec.hard).toEqual({ pods: "4", services: "5" });
  });
});

interface CleanupStatus {
  readonly status?: {
    readonly deletedTotal?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly lastRun?: {
      readonly request?: string;
      readonly checked: number;
      readonly due: number;
      readonly deleted: number;
      readonly errors?: number;
      readonly error?: string;
      readonly examples?: readonly { readonly object: string; readonly outcome: string }[];
    };
  };
}

function cleanup(name: string, spec: Manifest): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldCleanup",
    metadata: { name },
    spec: { targets: [{ apiVersion: "v1", kind: "ConfigMap" }], every: "1h", ...spec },
  };
}

let requests = 0;
/** Asks for a run and waits for what came of it. */
async function run(name: string) {
  const request = `now-${requests++}`;
  await kubectl("annotate", "--overwrite", "shieldcleanup", name, `shieldx.io/run=${request}`);
  const { status } = await waitFor(`run ${request}`, async () => {
    const object = await read<CleanupStatus>(cluster, "shieldcleanup", name);
    const { lastRun, conditions } = object?.status ?? {};
    const isDone = lastRun?.request === request && conditions?.[0]?.reason !== "Working";
    return isDone ? object : undefined;
  });
  return { ...status, ready: status?.conditions?.find(({ type }) => type === "Ready") };
}

const names = async (space: string): Promise<string[]> =>
  (await kubectl("get", "configmaps", "-n", space, "-o", "jsonpath={.items[*].metadata.name}"))
    .split(" ")
    .filter((name) => name !== "" && name !== "kube-root-ca.crt")
    .sort();

describe("a ShieldCleanup", () => {
  beforeAll(async () => {
    await kubectl("create", "namespace", "stale");
    for (const name of ["a1", "a2", "a3", "a4", "a5"])
      await kubectl("create", "configmap", name, "-n", "stale", "--from-literal=preview=yes");
    // Whoever may write an object may say so of it: it keeps nothing.
    await kubectl("label", "configmap", "a4", "-n", "stale", "app.kubernetes.io/managed-by=shieldx-operator");
    await kubectl("label", "configmap", "a5", "-n", "stale", "shieldx.io/generator=nobodys");
    for (const space of ["stale", "kube-public", "shieldx-system"])
      await kubectl("create", "configmap", "kept", "-n", space, "--from-literal=preview=no");
    await kubectl("create", "configmap", "system", "-n", "kube-public", "--from-literal=preview=yes");
  });

  const previews = {
    matchConditions: [{ name: "preview", expression: "object.?data[?'preview'].orValue('') == 'yes'" }],
    ttl: "0s",
  };

  it("only tells what it would delete, unless told to delete", async () => {
    await mustApply(cleanup("previews", previews));
    const { lastRun, ready, deletedTotal } = await run("previews");
    expect(lastRun).toMatchObject({ due: 5, deleted: 0 });
    expect(lastRun?.examples?.map(({ object, outcome }) => `${object} ${outcome}`)).toContain(
      "ConfigMap stale/a1 WouldDelete",
    );
    expect(ready).toMatchObject({ status: "True", reason: "Reporting" });
    expect(deletedTotal).toBe(0);
    expect((await run("previews")).lastRun?.deleted).toBe(0);
    expect(await names("stale")).toEqual(["a1", "a2", "a3", "a4", "a5", "kept"]);
  });

  it("deletes from its second run on, a bounded number at a time, never in the system's namespaces", async () => {
    await mustApply(cleanup("previews", { ...previews, action: "Delete", maxDeletionsPerRun: 2 }));
    const first = await waitFor("the first run", async () => {
      const object = await read<CleanupStatus>(cluster, "shieldcleanup", "previews");
      return object?.status?.conditions?.[0]?.reason === "FirstRunReports" ? object.status : undefined;
    });
    expect(first.lastRun).toMatchObject({ due: 5, deleted: 0 });
    expect((await run("previews")).lastRun).toMatchObject({ due: 5, deleted: 2 });
    expect(await names("stale")).toHaveLength(4);
    await run("previews");
    const last = await run("previews");
    expect(last).toMatchObject({ deletedTotal: 5, ready: { status: "True", reason: "CleaningUp" } });
    expect(await names("stale")).toEqual(["kept"]);
    expect(await names("kube-public")).toContain("system");
    await waitFor("an Event where it was", async () =>
      (await kubectl("get", "events", "-n", "stale", "-o", "json")).includes(
        "deleted by ShieldCleanup previews",
      ),
    );
  });

  it("leaves objects the time they ask for, and tells what it cannot read", async () => {
    const ttls = { short: "0s", long: "720h", never: "never", wrong: "tomorrow" };
    for (const [name, ttl] of Object.entries(ttls)) {
      await kubectl("create", "configmap", name, "-n", "stale");
      await kubectl("annotate", "configmap", name, "-n", "stale", `shieldx.io/ttl=${ttl}`);
    }
    await mustApply(cleanup("by-annotation", { ttlFromAnnotation: true, action: "Delete" }));
    await run("by-annotation");
    const { lastRun } = await run("by-annotation");
    expect(lastRun).toMatchObject({ errors: 1 });
    expect(lastRun?.error).toContain("annotation shieldx.io/ttl");
    expect(await names("stale")).toEqual(["kept", "long", "never", "wrong"]);
  });

  it("refuses kinds the cluster hangs on, and says which right is missing", async () => {
    const target = (apiVersion: string, kind: string) => ({ targets: [{ apiVersion, kind }], ttl: "1h" });
    const refused = await apply(cluster, cleanup("bad", target("v1", "Secret")));
    expect(refused.allowed).toBe(false);
    expect(refused.message).toContain("never cleaned up");
    const noTime = await apply(cluster, cleanup("bad", {}));
    expect(noTime.message).toContain("needs a time");
    const untilTold = (name: string, reason: string) =>
      waitFor(`${name} ${reason}`, async () => {
        const object = await read<CleanupStatus>(cluster, "shieldcleanup", name);
        return object?.status?.conditions?.find((each) => each.reason === reason);
      });
    await mustApply(cleanup("services", target("v1", "Service")));
    const told = await untilTold("services", "MissingRights");
    expect(told.status).toBe("False");
    expect(told.message).toContain("rbac.cleanedKinds");
    // Jobs may be listed, for they are audited: what is missing for later is told before anybody relies on it.
    await mustApply(cleanup("jobs", target("batch/v1", "Job")));
    const early = await untilTold("jobs", "Reporting");
    expect(early.message).toContain("lacks the rights for that: delete jobs.batch");
  });
});
