// Break-glass from outside: who may, what passes and is recorded, and that it ends in time with nobody to end it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

let cluster: Cluster;
let shieldx: ShieldxOnHost;

const glass = (
  name: string,
  seconds: number,
  spec: Manifest = { policies: ["guarded", "limited"] },
): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldBreakGlass",
  metadata: { name },
  spec: {
    reason: "INC-4711: the driver has to come back, and its Pods are refused",
    expiresAt: new Date(Math.ceil(Date.now() / 1000 + seconds) * 1000).toISOString(),
    ...spec,
  },
});

interface Gap {
  readonly cause: string;
  readonly breakGlass?: string;
  readonly user?: string;
  readonly until?: string;
  readonly requests?: number;
  readonly audited?: boolean;
  readonly objects?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly user?: string;
    readonly operation?: string;
    readonly violates?: boolean;
    readonly time: string;
  }[];
}
interface Found {
  readonly spec?: { readonly expiresAt?: string };
  readonly status?: {
    readonly enforcedBy?: string;
    readonly handingOverTo?: string;
    readonly gaps?: readonly Gap[];
    readonly openedBy?: { readonly user: string };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}
const policy = async (name: string) => (await read<Found>(cluster, "shieldpolicy", name))?.status;
const stateOf = async (name: string) =>
  (await read<Found>(cluster, "shieldbreakglass", name))?.status?.conditions?.find(
    ({ type }) => type === "Ready",
  )?.reason;
const gapOf = async (name: string, of: string) =>
  (await policy(name))?.gaps?.find(({ breakGlass }) => breakGlass === of);
const create = (object: Manifest, ...flags: string[]) =>
  cluster.kubectl(["create", "-f", "-", ...flags], { input: JSON.stringify(object) });
const open = async (object: Manifest, ...flags: string[]) => {
  const { code, stderr } = await create(object, ...flags);
  expect(code, stderr).toBe(0);
  const { name } = object.metadata as { name: string };
  await waitFor(`${name} open`, async () => (await stateOf(name)) === "Open", { timeoutMs: 40_000 });
};
const events = () =>
  mustKubectl(cluster, [
    "get",
    "events",
    "-A",
    "-o",
    "jsonpath={range .items[*]}{.reason} {.involvedObject.name} {.message}{'\\n'}{end}",
  ]);
const hostile = (name: string) => restrictedPod(name, { hostNetwork: true }, "shop");
const large = (name: string): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop" },
  spec: {
    replicas: 9,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: restrictedPod(name).spec,
    },
  },
});

beforeAll(async () => {
  cluster = await startCluster({ name: "break-glass" });
  shieldx = await startShieldxOnHost(cluster, { operators: 1 });
  await mustKubectl(cluster, ["create", "namespace", "shop"]);
  await mustKubectl(cluster, [
    "create",
    "rolebinding",
    "tenant",
    "-n",
    "shop",
    "--clusterrole=admin",
    "--user=tenant",
  ]);
  await mustKubectl(cluster, [
    "create",
    "clusterrolebinding",
    "oncall",
    "--clusterrole=shieldx-break-glass",
    "--user=oncall",
  ]);
  await mustKubectl(cluster, [
    "create",
    "clusterrolebinding",
    "approver",
    "--clusterrole=shieldx-approver",
    "--user=approver",
  ]);
  await mustKubectl(cluster, [
    "create",
    "clusterrolebinding",
    "editor",
    "--clusterrole=shieldx-editor",
    "--user=editor",
  ]);
  await enforce(cluster, podSecurityPolicy("guarded"));
  await enforce(cluster, replicaLimit("limited"));
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

describe("who may break the glass", () => {
  it.each(["tenant", "approver", "editor"])("not %s", async (user) => {
    const { code, stderr } = await create(glass("theirs", 600), `--as=${user}`);
    expect(code).not.toBe(0);
    expect(stderr).toContain("forbidden");
  });

  it("nobody for longer than four hours, without a reason, for a time that has passed, or for nothing", async () => {
    const refused = async (object: Manifest) => (await create(object)).stderr;
    expect(await refused(glass("long", 4 * 3600 + 60))).toContain("more than 4 hours");
    expect(await refused(glass("past", -60))).toContain("has passed");
    expect(await refused(glass("silent", 600, { policies: ["guarded"], reason: "x" }))).toContain(
      "spec.reason",
    );
    expect(await refused(glass("nothing", 600, {}))).toContain("name policies, or say allPolicies");
  });
});

describe("while it is open", () => {
  it("what policies deny passes with a warning, by the webhook and by the API server's own policies alike", async () => {
    expect((await create(hostile("before"))).stderr).toContain("guarded");
    expect((await create(large("before"))).stderr).toContain("at most 5 replicas");
    expect((await policy("limited"))?.enforcedBy).toBe("Native");

    await open(glass("inc-1", 600), "--as=oncall");
    const pod = await create(hostile("rescue"), "--as=tenant");
    expect(pod).toMatchObject({ code: 0, stderr: expect.stringContaining('by ShieldBreakGlass "inc-1"') });
    const deployment = await create(large("rescue"), "--as=tenant");
    expect(deployment, deployment.stderr).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("at most 5 replicas"),
    });
    expect((await policy("limited"))?.enforcedBy).toBe("Webhook");
  });

  it("it is recorded who opened it, and who wrote what", async () => {
    await waitFor("recorded", async () => (await gapOf("guarded", "inc-1"))?.objects?.length);
    const guarded = await gapOf("guarded", "inc-1");
    expect(guarded).toMatchObject({ cause: "BreakGlass", user: "oncall", requests: 1 });
    expect(guarded?.until).toBeUndefined();
    expect(guarded?.objects).toMatchObject([
      { kind: "Pod", name: "rescue", namespace: "shop", user: "tenant", operation: "CREATE" },
    ]);
    const stored = await read<{ metadata: { uid: string } }>(cluster, "pod", "rescue", "-n", "shop");
    expect(guarded?.objects?.[0]?.uid).toBe(stored?.metadata.uid);
    await waitFor("recorded natively", async () => (await gapOf("limited", "inc-1"))?.objects?.length);
    expect((await gapOf("limited", "inc-1"))?.objects).toMatchObject([
      { kind: "Deployment", user: "tenant" },
    ]);
    await waitFor("told of", async () => /BreakGlassOpened guarded .*opened by oncall/.test(await events()));
  });

  it("its spec does not change, and ending it is deleting it", async () => {
    const later = JSON.stringify({ spec: { expiresAt: new Date(Date.now() + 3_000_000).toISOString() } });
    const patched = await cluster.kubectl([
      "patch",
      "shieldbreakglass",
      "inc-1",
      "--type=merge",
      "-p",
      later,
    ]);
    expect(patched.stderr).toContain("spec does not change once written");
    await mustKubectl(cluster, ["delete", "shieldbreakglass", "inc-1"]);
    await waitFor(
      "refused again",
      async () => (await create(hostile("after"), "--dry-run=server")).code !== 0,
    );
    await waitFor("native again", async () => (await policy("limited"))?.enforcedBy === "Native", {
      timeoutMs: 40_000,
    });
    expect((await create(large("after"))).stderr).toContain("at most 5 replicas");
    await waitFor("audited", async () => (await gapOf("guarded", "inc-1"))?.audited === true);
    const gap = await gapOf("guarded", "inc-1");
    expect(gap?.until).toBeDefined();
    expect(gap?.objects).toMatchObject([{ name: "rescue", user: "tenant", violates: true }]);
    await waitFor("told of", async () =>
      (await events()).includes("GapEnded guarded 1 object that the policy denies was written"),
    );
  });
});

describe("its end", () => {
  it("comes in time with the operator killed, also for what the API server evaluated before", async () => {
    await open(glass("inc-2", 20), "--as=oncall");
    const until = Date.parse(
      (await read<Found>(cluster, "shieldbreakglass", "inc-2"))?.spec?.expiresAt ?? "",
    );
    for (const operator of shieldx.operators) await operator.kill();
    expect((await create(large("late"))).code).toBe(0);
    // Not a moment in which nobody judges: until the end it warns, from then on it refuses.
    for (;;) {
      const asked = Date.now();
      const { code } = await create(large("asked"), "--dry-run=server");
      if (asked >= until) {
        expect(code, `asked ${asked - until} ms after the end`).not.toBe(0);
        break;
      }
    }
    expect((await create(hostile("late"))).code).not.toBe(0);
  });

  it("is told by the operator that comes after, with what passed; the next one opens and ends as well", async () => {
    await shieldx.startOperator();
    await waitFor("told", async () => (await gapOf("limited", "inc-2"))?.until, { timeoutMs: 60_000 });
    expect((await gapOf("limited", "inc-2"))?.objects).toMatchObject([{ name: "late" }]);
    await waitFor("native again", async () => (await policy("limited"))?.enforcedBy === "Native", {
      timeoutMs: 40_000,
    });
    await open(glass("inc-3", 600, { allPolicies: true }));
    expect((await create(large("third"))).code).toBe(0);
    await mustKubectl(cluster, ["delete", "shieldbreakglass", "inc-3"]);
    await waitFor("refused", async () => (await create(large("fourth"), "--dry-run=server")).code !== 0);
    // What we hand over ourselves nobody has tampered with.
    expect(await events()).not.toContain("TamperingRestored");
  });
});

describe("the record of it", () => {
  it("is kept whatever the reason is written in, and when the policy is made anew", async () => {
    // What YAML does not take raw, and a character that is where the reason is cut.
    const told = 'ShieldBreakGlass "emoji": \u007f\ufffe';
    const reason = `\u007f\ufffe${"x".repeat(511 - told.length)}\u{1f600} and more of it`;
    await open(glass("emoji", 600, { policies: ["guarded"], reason }), "--as=oncall");
    expect((await create(hostile("smile"))).code).toBe(0);
    await mustKubectl(cluster, ["delete", "shieldbreakglass", "emoji"]);
    await waitFor("recorded", async () => (await gapOf("guarded", "emoji"))?.until);
    const { code, stderr } = await cluster.kubectl(["replace", "--force", "-f", "-"], {
      input: JSON.stringify(podSecurityPolicy("guarded")),
    });
    expect(code, stderr).toBe(0);
    await waitFor("recorded again", async () => (await policy("guarded"))?.gaps);
    const gap = await gapOf("guarded", "emoji");
    expect(gap).toMatchObject({ user: "oncall", objects: [{ name: "smile" }] });
    expect(await events()).not.toContain("StatusNotWritten");
  });
});
