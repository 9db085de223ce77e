import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, celPolicy, enforce, type Manifest, read } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Policies that change objects, made by the API server itself where it can. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "mutations-native" });
  shieldx = await startShieldxOnHost(cluster);
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

const mark = (value: string) => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression: `Object{metadata: Object.metadata{labels: {'mark': '${value}'}}}` },
});
const marking = (spec: Manifest = {}) =>
  celPolicy("marking", {
    matchConstraints: {
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "DELETE"], resources: ["configmaps"] },
      ],
    },
    mutations: [mark("yes")],
    ...spec,
  });
const statusOf = async () =>
  (
    await read<{ status?: { enforcedBy?: string; enforcedByReason?: string } }>(
      cluster,
      "shieldpolicy",
      "marking",
    )
  )?.status;

async function made(name: string): Promise<string> {
  const args = ["create", "configmap", name, "--from-literal=a=1", "--dry-run=server", "-o"];
  const { code, stdout, stderr } = await cluster.kubectl([...args, "jsonpath={.metadata.labels.mark}"]);
  return code === 0 ? stdout : stderr;
}

async function ours(): Promise<string[]> {
  const kinds = ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"];
  const all = [...kinds, "validatingadmissionpolicies", "mutatingwebhookconfigurations"].join();
  const { stdout } = await cluster.kubectl(["get", all, "-o", "name", "-l", "shieldx.io/policy"]);
  const webhook = await cluster.kubectl(["get", "mutatingwebhookconfigurations", "-o", "name"]);
  return `${stdout}${webhook.stdout}`
    .trim()
    .split("\n")
    .filter((name) => name !== "")
    .map((name) => name.split(".")[0] ?? "")
    .sort();
}

describe("a policy with mutations on a server with MutatingAdmissionPolicies", () => {
  it("is made by the API server itself, and leaves nothing behind", async () => {
    await enforce(cluster, marking());
    expect(await statusOf()).toMatchObject({ enforcedBy: "Native" });
    expect(await ours()).toEqual(["mutatingadmissionpolicy", "mutatingadmissionpolicybinding"]);
    await waitFor("in force", async () => (await made("a")) === "yes");
    await enforce(cluster, marking({ mutations: [mark("changed")] }));
    await waitFor("the new version in force", async () => (await made("a")) === "changed");
    await cluster.kubectl(["delete", "shieldpolicy", "marking", "--wait=true"]);
    await waitFor("gone", async () => (await ours()).length === 0);
  });

  it("has both halves there where it validates, too, and what is judged is the result", async () => {
    const validations = [{ expression: "object.metadata.labels.mark != 'yes'", message: "not marked" }];
    const onCreate = {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
    };
    await enforce(cluster, marking({ ...onCreate, validations }));
    expect(await ours()).toEqual([
      "mutatingadmissionpolicy",
      "mutatingadmissionpolicybinding",
      "validatingadmissionpolicy",
    ]);
    const said = await waitFor("judged", async () => {
      const answer = await made("a");
      return answer === "" ? undefined : answer;
    });
    expect(said).toContain('ShieldPolicy "marking": not marked');
  });

  it("is put back when somebody takes it away", async () => {
    await enforce(cluster, marking());
    await cluster.kubectl(["delete", "mutatingadmissionpolicybinding", "shieldx-marking"]);
    await waitFor("restored", async () => (await ours()).length === 2);
    const loosened = '{"spec":{"matchConditions":[{"name":"never","expression":"false"}]}}';
    const patch = ["patch", "mutatingadmissionpolicy", "shieldx-marking", "--type=merge", "-p", loosened];
    expect((await cluster.kubectl(patch)).code).toBe(0);
    await waitFor("restored", async () => {
      const { stdout } = await cluster.kubectl([
        "get",
        "mutatingadmissionpolicy",
        "shieldx-marking",
        "-o",
        "yaml",
      ]);
      return !stdout.includes("name: never") && stdout.includes("not-being-deleted");
    });
  });

  it("goes to the webhook and back without a request that nobody marks", async () => {
    await enforce(cluster, marking());
    await waitFor("in force", async () => (await made("a")) === "yes");
    let isOver = false;
    const answers = new Map<string, number>();
    const watch = (async () => {
      while (!isOver) {
        const answer = await made("b");
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    })();
    for (const evaluation of ["Webhook", "Native"]) {
      await enforce(cluster, marking({ evaluation }));
      expect(await statusOf()).toMatchObject({ enforcedBy: evaluation });
    }
    isOver = true;
    await watch;
    console.log("requests while it changed hands", answers);
    expect([...answers.keys()]).toEqual(["yes"]);
    await waitFor("one enforcer", async () => (await ours()).length === 2);
  });

  it("refuses nothing while a glass is broken, changes on all the while, and goes back afterwards", async () => {
    const onCreate = {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
    };
    const validations = [{ expression: "object.metadata.name != 'bad'", message: "a bad name" }];
    await enforce(cluster, marking({ ...onCreate, validations }));
    const onlyOn = (name: string) => [{ name: "one", expression: `object.metadata.name == '${name}'` }];
    const failing = [
      {
        patchType: "ApplyConfiguration",
        applyConfiguration: {
          expression: "Object{metadata: Object.metadata{labels: {'x': object.data.no}}}",
        },
      },
    ];
    await enforce(
      cluster,
      celPolicy("failing", { ...onCreate, matchConditions: onlyOn("torn"), mutations: failing }),
    );
    await waitFor("in force", async () => (await made("bad")).includes("a bad name"));
    await waitFor("failing", async () => (await made("torn")).includes("no such key"));
    let isOver = false;
    const answers = new Map<string, number>();
    const watch = (async () => {
      while (!isOver) {
        const answer = await made("good");
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    })();
    try {
      const expiresAt = new Date(Math.ceil(Date.now() / 1000 + 600) * 1000).toISOString();
      const opened = await apply(cluster, {
        apiVersion: "shieldx.io/v1alpha1",
        kind: "ShieldBreakGlass",
        metadata: { name: "inc-1" },
        spec: { allPolicies: true, reason: "INC-4711: the driver has to come back", expiresAt },
      });
      expect(opened).toMatchObject({ allowed: true });
      await cluster.kubectl(["wait", "shieldbreakglass/inc-1", "--for=condition=Ready", "--timeout=40s"]);
      const glass = await read<{ status?: { conditions?: object[] } }>(cluster, "shieldbreakglass", "inc-1");
      expect(glass?.status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Ready", reason: "Open" }),
      );
      expect(await statusOf()).toMatchObject({ enforcedBy: "Webhook" });
      expect([await made("bad"), await made("torn")]).toEqual(["yes", "yes"]);
      await cluster.kubectl(["delete", "shieldbreakglass", "inc-1"]);
      await waitFor("native again", async () => (await statusOf())?.enforcedBy === "Native", {
        timeoutMs: 40_000,
      });
    } finally {
      isOver = true;
      await watch;
    }
    console.log("requests while a glass was broken", answers);
    expect([...answers.keys()]).toEqual(["yes"]);
    expect(await made("bad")).toContain("a bad name");
    expect(await made("torn")).toContain("no such key");
    await waitFor("one enforcer", async () => !(await ours()).includes("mutatingwebhookconfiguration"));
  });

  it("is made by the webhook where it honours exceptions: only that can tell when they end", async () => {
    await enforce(cluster, marking({ exceptions: { namespaces: { names: ["default"] } } }));
    const status = await statusOf();
    expect(status?.enforcedBy).toBe("Webhook");
    expect(status?.enforcedByReason).toContain("cannot tell when they end");
    expect(await made("a")).toBe("yes");
    const exception = {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "a", namespace: "default" },
      spec: {
        policies: ["marking"],
        match: { names: ["a"] },
        owner: "team@example.org",
        reason: "has labels of its own",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      },
    };
    expect((await apply(cluster, exception)).allowed).toBe(true);
    await waitFor("excepted", async () => (await made("a")) === "");
    expect(await made("b")).toBe("yes");
    // Natively, on demand: folded in until somebody renders it anew.
    await enforce(
      cluster,
      marking({ evaluation: "Native", exceptions: { namespaces: { names: ["default"] } } }),
    );
    expect((await statusOf())?.enforcedBy).toBe("Native");
    await waitFor("marked natively", async () => (await made("b")) === "yes");
    expect(await made("a")).toBe("");
    await cluster.kubectl(["delete", "shieldexceptions", "--all", "-n", "default"]);
    await waitFor("not excepted any more", async () => (await made("a")) === "yes");
  });
});
