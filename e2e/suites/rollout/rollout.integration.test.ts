// Versions of policies that go in by stages, seen from outside: who is refused what where, and what people decide.
import { actsInNamespace } from "@shieldx/crds";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply, celPolicy, enforce, type Manifest, read } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
const NAME = "owned";
let cluster: Cluster;
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
      readonly rollback?: { reason: string; message: string };
      readonly counts?: { requests: number; denied: number };
      readonly found?: {
        readonly objects: readonly { namespace?: string; kind: string; name: string; message: string }[];
        readonly namespaces: readonly { name: string; denied: number }[];
      };
    };
  };
}
const statusOf = async () => (await read<Seen>(cluster, "shieldpolicy", NAME))?.status;
const rolloutOf = async () => (await statusOf())?.rollout;
const untilStep = (step: string, turn = 0) =>
  waitFor(`step ${step}`, async () => {
    const rollout = await rolloutOf();
    return rollout?.step === step && rollout.turn > turn ? rollout : undefined;
  });
/** The one replica keeps the step, and is called for it. */
const untilKept = () =>
  waitFor("the step kept", async () => {
    const rollout = await read<{ status?: { rollout?: { message?: string } } }>(
      cluster,
      "shieldpolicy",
      NAME,
    );
    return rollout?.status?.rollout !== undefined && rollout.status.rollout.message === undefined;
  });
let made = 0;
const create = async (namespace: string, labels: Record<string, string> = {}) => {
  const metadata = { name: `map-${made++}`, namespace, labels };
  const input = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata });
  const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], { input });
  return { name: metadata.name, isAllowed: code === 0, message: stderr };
};
const run = async (...args: string[]) => {
  const command = [shieldctl, "policy", ...args, "--kubeconfig", cluster.kubeconfig];
  return await runCommand(process.execPath, command);
};
const must = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`shieldctl ${args.join(" ")}: ${stderr}`);
  return stdout;
};
const events = async (): Promise<string[]> => {
  const { stdout } = await cluster.kubectl(["get", "events.events.k8s.io", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { reason: string; regarding: { name: string } }[] };
  return items.filter(({ regarding }) => regarding.name === NAME).map(({ reason }) => reason);
};
const untilEvent = (reason: string) =>
  waitFor(`Event ${reason}`, async () => (await events()).includes(reason));

beforeAll(async () => {
  cluster = await startCluster({ name: "rollout" });
  shieldx = await startShieldxOnHost(cluster);
  for (const namespace of namespaces) {
    await mustKubectl(cluster, ["create", "namespace", namespace]);
    await mustKubectl(cluster, ["label", "namespace", namespace, "rollout=tried"]);
  }
});
afterAll(async () => {
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
    const free = await create(chosen);
    expect(free).toMatchObject({ isAllowed: true, message: "" });
    const found = await waitFor("found", async () => {
      const rollout = await rolloutOf();
      return rollout?.found?.objects.length === 1 ? rollout : undefined;
    });
    expect(found.found).toMatchObject({
      objects: [{ namespace: chosen, kind: "ConfigMap", name: free.name, message: "needs a label owner" }],
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
      new RegExp(`${chosen} +ConfigMap +${free.name} +needs a label owner`),
    );

    expect(await must("rollout", "promote", NAME)).toContain("now in step canary-30");
    await untilKept();
    await waitFor("refused in the canary", async () => !(await create(chosen)).isAllowed);
    expect((await create(alsoChosen)).message).toContain('ShieldPolicy "owned" refuses ConfigMap');
    for (const namespace of [other, another]) expect((await create(namespace)).isAllowed).toBe(true);
    expect((await create(chosen, { owner: "jane" })).isAllowed).toBe(true);

    await must("rollout", "promote", NAME);
    await untilStep("bake");
    await waitFor("refused everywhere", async () => !(await create(other)).isAllowed);
    await must("rollout", "promote", NAME);
    await untilStep("full");
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
    const turn = (await rolloutOf())?.turn ?? 0;
    await must("rollout", "promote", NAME);
    await untilStep("canary-30", turn);
    await waitFor("the canary", async () => (await create(chosen, { team: "a" })).isAllowed);
    expect((await create(chosen, { owner: "jane" })).message).toContain("needs a label team");
    expect((await create(other, { owner: "jane" })).isAllowed).toBe(true);
    await must("rollout", "abort", NAME);
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
    await must("rollout", "promote", NAME);
    await untilStep("canary-30");
  });

  it("goes on by itself, also after the operator was killed, and stays while paused", async () => {
    const soon = { shadow: { duration: "3s" }, canary: { steps: [{ percent: 30, duration: "5s" }] } };
    await apply(cluster, policy({ ...soon, paused: true }));
    await untilStep("shadow");
    await waitFor("paused", async () =>
      (await must("rollout", "status", NAME)).includes("by spec.rollout.paused"),
    );
    await apply(cluster, policy(soon));
    const { turn } = await untilStep("canary-30");
    await shieldx.operators.at(-1)?.kill();
    expect((await rolloutOf())?.turn).toBe(turn);
    expect((await create(chosen)).isAllowed).toBe(false);
    expect((await create(other)).isAllowed).toBe(true);
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
    const both = await Promise.all([run("rollout", "promote", NAME), run("rollout", "promote", NAME)]);
    expect(both.map(({ code }) => code).filter((code) => code === 0).length).toBeGreaterThan(0);
    const rollout = await untilStep("canary-30");
    expect(rollout.turn).toBe(turn + 1);
    const again = [
      "annotate",
      "shieldpolicy",
      NAME,
      "--overwrite",
      `shieldx.io/rollout=promote-from=shadow@${turn}`,
    ];
    await cluster.kubectl([...again, "--overwrite"]);
    await mustKubectl(cluster, [
      "annotate",
      "shieldpolicy",
      NAME,
      "--overwrite",
      "shieldx.io/rollout=promote-from=shadow",
    ]);
    await untilEvent("RolloutRequestRefused");
    expect((await rolloutOf())?.turn).toBe(turn + 1);
  });

  it("pause, resume and abort, and hear why there is nothing to decide", async () => {
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
    expect((await run("rollout", "abort", NAME)).code).toBe(1);
    await cluster.kubectl(["delete", "shieldpolicy", NAME, "--wait=true"]);
    const gone = await run("rollout", "status", NAME);
    expect(gone).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no ShieldPolicy "owned"'),
    });
    await enforce(cluster, policy(undefined));
    expect((await run("diff", NAME)).stderr).toContain("has no spec.rollout");
  });
});
