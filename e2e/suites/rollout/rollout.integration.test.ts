// Versions of policies that go in by stages, seen from outside: who is refused what where, and what people decide.
import { type Client, type KubeObject, resourceType } from "@shieldx/controller-runtime";
import { actsInNamespace } from "@shieldx/crds";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply, celPolicy, enforce, type Manifest, ShieldPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
const NAME = "owned";
let cluster: Cluster;
let client: Client;
let shieldx: ShieldxOnHost;

/** Namespaces in which a canary of 30 % acts, and does not. */
const names = Array.from({ length: 60 }, (_, at) => `team-${at}`);
const [chosen = "", alsoChosen = ""] = names.filter((name) => actsInNamespace(NAME, 30, name));
const [other = "", another = ""] = names.filter((name) => !actsInNamespace(NAME, 30, name));
const namespaces = [chosen, alsoChosen, other, another];

const about = {
  matchConstraints: {
    namespaceSelector: { matchLabels: { rollout: "tried" } },
    resourceRules: [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
    ],
  },
  matchConditions: [{ name: "own", expression: "object.metadata.name != 'kube-root-ca.crt'" }],
};
const needs = (label: string) => ({
  validations: [
    { expression: `'${label}' in object.metadata.?labels.orValue({})`, message: `needs a label ${label}` },
  ],
});
const slowly = {
  shadow: { duration: "1h" },
  canary: { steps: [{ percent: 30, duration: "1h" }] },
  bake: { duration: "1h" },
};
const policy = (rollout: Manifest | undefined, spec: Manifest = needs("owner")): Manifest =>
  celPolicy(NAME, { ...about, ...spec, ...(rollout === undefined ? {} : { rollout }) });

interface Seen {
  readonly status?: {
    readonly enforcedBy?: string;
    readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
    readonly rollout?: {
      readonly step: string;
      readonly turn: number;
      readonly paused?: boolean;
      readonly message?: string;
      readonly rollback?: { reason: string; message: string };
      readonly counts?: { requests: number; denied: number };
      readonly found?: {
        readonly objects: readonly { namespace?: string; kind: string; name: string; message: string }[];
        readonly namespaces: readonly { name: string; denied: number }[];
      };
    };
  };
}
const statusOf = async () => {
  const object = await client.find(ShieldPolicy, { name: NAME });
  return (object as Seen | undefined)?.status;
};
const rolloutOf = async () => (await statusOf())?.rollout;
const untilStep = (step: string, turn = 0) =>
  waitFor(`step ${step}`, async () => {
    const rollout = await rolloutOf();
    return rollout?.step === step && rollout.turn > turn ? rollout : undefined;
  });
/** The one replica keeps the step, and is called for it. */
const untilKept = () =>
  waitFor("the step kept", async () => {
    const rollout = await rolloutOf();
    return rollout !== undefined && rollout.message === undefined;
  });
const ConfigMap = resourceType<KubeObject>({
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
});
let made = 0;
const configMap = (namespace: string, labels: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: `map-${made++}`, namespace, labels },
});
const create = async (namespace: string, labels: Record<string, string> = {}) => {
  const object = configMap(namespace, labels);
  try {
    await client.create(ConfigMap, object);
    return { isAllowed: true, message: "" };
  } catch (error) {
    return { isAllowed: false, message: String(error) };
  }
};
const run = (...args: string[]) =>
  runCommand(process.execPath, [shieldctl, "policy", ...args, "--kubeconfig", cluster.kubeconfig]);
/** As people do who have no shieldctl. */
const annotate = (value: string) =>
  client.patch(
    ShieldPolicy,
    { name: NAME },
    { metadata: { annotations: { "shieldx.io/rollout": value } } },
    { type: "merge" },
  );
/** Takes the next step, which is `to`. */
const promote = async (to: string) => {
  const { step = "", turn = 0 } = (await rolloutOf()) ?? {};
  await annotate(`promote-from=${step}`);
  await untilStep(to, turn);
};
const must = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`shieldctl ${args.join(" ")}: ${stderr}`);
  return stdout;
};
const Event = resourceType<KubeObject>({
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
});
const events = async (): Promise<string[]> => {
  const { items } = await client.list(Event);
  const all = items as unknown as { reason: string; regarding?: { name?: string } }[];
  return all.filter(({ regarding }) => regarding?.name === NAME).map(({ reason }) => reason);
};
const untilEvent = (reason: string) =>
  waitFor(`Event ${reason}`, async () => (await events()).includes(reason));

beforeAll(async () => {
  cluster = await startCluster({ name: "rollout" });
  [client] = await clientsOf(cluster);
  shieldx = await startShieldxOnHost(cluster);
  for (const namespace of namespaces) {
    await mustKubectl(cluster, ["create", "namespace", namespace]);
    await mustKubectl(cluster, ["label", "namespace", namespace, "rollout=tried"]);
  }
});
afterAll(async () => {
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
  await cluster.kubectl(["delete", "events.events.k8s.io", "-A", "--all"]);
});

describe("a policy that goes in by stages", () => {
  it("finds in shadow, acts in its namespaces, then everywhere, and ends with the API server", async () => {
    expect(await apply(cluster, policy(slowly))).toMatchObject({ allowed: true });
    await untilStep("shadow");
    await untilKept();
    const free = configMap(chosen);
    // Not even a warning.
    const tried = await cluster.kubectl(["create", "-f", "-"], { input: JSON.stringify(free) });
    expect(tried).toMatchObject({ code: 0, stderr: "" });
    const found = await waitFor("found", async () => {
      const rollout = await rolloutOf();
      return rollout?.found?.objects.length === 1 ? rollout : undefined;
    });
    expect(found.found).toMatchObject({
      objects: [
        { namespace: chosen, kind: "ConfigMap", name: free.metadata.name, message: "needs a label owner" },
      ],
      namespaces: [{ name: chosen, denied: 1 }],
    });
    expect(found.counts).toMatchObject({ requests: 1, denied: 1 });
    const conditions = (await statusOf())?.conditions ?? [];
    expect(conditions.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "RollingOut",
    });
    expect(conditions.find(({ type }) => type === "Enforced")).toMatchObject({ status: "False" });
    expect(await must("diff", NAME)).toMatch(
      new RegExp(`${chosen} +ConfigMap +${free.metadata.name} +needs a label owner`),
    );

    expect(await must("rollout", "promote", NAME)).toContain("now in step canary-30");
    await untilKept();
    await waitFor("refused in the canary", async () => !(await create(chosen)).isAllowed);
    expect((await create(alsoChosen)).message).toContain('ShieldPolicy "owned" refuses ConfigMap');
    for (const namespace of [other, another]) expect((await create(namespace)).isAllowed).toBe(true);
    expect((await create(chosen, { owner: "jane" })).isAllowed).toBe(true);

    await promote("bake");
    await waitFor("refused everywhere", async () => !(await create(other)).isAllowed);
    await promote("full");
    expect((await create(another)).isAllowed).toBe(false);
    await waitFor("native", async () => (await statusOf())?.enforcedBy === "Native");
    expect((await create(other)).message).toContain('ShieldPolicy "owned": needs a label owner');
    await untilEvent("RolledOut");
    expect(await events()).toEqual(expect.arrayContaining(["RolloutBegan", "RolloutPromoted"]));
    expect((await must("rollout", "status", NAME)).split("\n")[1]).toContain("full since");
  });

  it("leaves the version before in force wherever it does not act, without a gap, native or not", async () => {
    await enforce(cluster, policy(undefined, needs("owner")));
    expect(await apply(cluster, policy(slowly, needs("owner")))).toMatchObject({ allowed: true });
    // The same version, with a rollout from now on.
    await untilStep("full");
    let open = 0;
    let asked = 0;
    let isOver = false;
    const watch = (async () => {
      while (!isOver) {
        asked++;
        if ((await create(other, { team: "a" })).isAllowed) open++;
      }
    })();
    expect(await apply(cluster, policy(slowly, needs("team")))).toMatchObject({ allowed: true });
    await untilStep("shadow");
    await waitFor("the webhook", async () => (await statusOf())?.enforcedBy === "Webhook");
    await untilKept();
    expect((await create(chosen, { owner: "jane" })).isAllowed).toBe(true);
    await promote("canary-30");
    await waitFor("the canary", async () => (await create(chosen, { team: "a" })).isAllowed);
    expect((await create(chosen, { owner: "jane" })).message).toContain("needs a label team");
    expect((await create(other, { owner: "jane" })).isAllowed).toBe(true);
    await annotate("abort-from=canary-30");
    await waitFor("taken back", async () => (await create(chosen, { owner: "jane" })).isAllowed);
    // Back to what was in force: there is nothing to roll out.
    await apply(cluster, policy(slowly, needs("owner")));
    await untilStep("full");
    await waitFor("native", async () => (await statusOf())?.enforcedBy === "Native");
    isOver = true;
    await watch;
    expect(asked).toBeGreaterThan(5);
    expect(open).toBe(0);
  });

  it("is taken back when it refuses too much, and requests pass again", async () => {
    const rollback = { maxDenialPercent: 20, minRequests: 5 };
    await apply(cluster, policy({ canary: slowly.canary, rollback }));
    await untilStep("canary-30");
    await untilKept();
    await waitFor("refused", async () => !(await create(chosen)).isAllowed);
    await waitFor("taken back", async () => {
      await create(chosen);
      return (await rolloutOf())?.step === "rolled-back";
    });
    await waitFor("pass again", async () => (await create(chosen)).isAllowed);
    const rollout = await rolloutOf();
    expect(rollout?.rollback).toMatchObject({ reason: "DenialRate" });
    expect(rollout?.rollback?.message).toMatch(/\d+ of \d+ requests \(\d+(\.\d)? %\) were refused/);
    await untilEvent("RolledBack");
    const { code, stdout } = await run("rollout", "status", NAME);
    expect(code).toBe(1);
    expect(stdout).toContain("DenialRate");
    // It tries nothing again by itself, and goes on when somebody promotes it.
    await promote("canary-30");
  });

  it("goes on by itself, stays while paused, and forgets nothing when the operator is killed", async () => {
    const soon = { shadow: { duration: "3s" }, canary: slowly.canary };
    await apply(cluster, policy({ ...soon, paused: true }));
    await untilStep("shadow");
    await waitFor("paused", async () => (await rolloutOf())?.message?.startsWith("paused"));
    await apply(cluster, policy(soon));
    const { turn } = await untilStep("canary-30");
    await waitFor("refused", async () => !(await create(chosen)).isAllowed);
    await shieldx.operators.at(-1)?.kill();
    expect((await create(chosen)).isAllowed).toBe(false);
    expect((await create(other)).isAllowed).toBe(true);
    await annotate(`promote-from=canary-30@${turn}`);
    await shieldx.startOperator();
    await untilStep("full", turn + 1);
    await waitFor("everywhere", async () => !(await create(other)).isAllowed);
  });
});

describe("people who decide", () => {
  it("take one step when two promote at once, and are told what is not done", async () => {
    await apply(cluster, policy(slowly));
    const { turn } = await untilStep("shadow");
    await untilKept();
    // Both looked while it was in shadow; the third is late.
    const request = `promote-from=shadow@${turn}`;
    await Promise.all([annotate(request), annotate(request)]);
    await untilStep("canary-30", turn);
    await annotate("promote-from=shadow");
    await untilEvent("RolloutRequestRefused");
    expect((await rolloutOf())?.turn).toBe(turn + 1);
  });

  it("pause, resume and abort, and hear why something is not done", async () => {
    await apply(cluster, policy({ shadow: { duration: "4s" }, canary: slowly.canary }));
    await untilStep("shadow");
    expect(await must("rollout", "pause", NAME)).toContain("paused in step");
    expect((await rolloutOf())?.paused).toBe(true);
    await untilEvent("RolloutPaused");
    const { turn } = (await rolloutOf()) ?? { turn: 0 };
    expect(await must("rollout", "resume", NAME)).toContain("resumed in step");
    await untilStep("canary-30", turn - 1);
    expect(await must("rollout", "abort", NAME)).toContain("now in step rolled-back");
    await untilEvent("RolloutAborted");
    const again = await run("rollout", "abort", NAME);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("taken back already") });
  });
});
