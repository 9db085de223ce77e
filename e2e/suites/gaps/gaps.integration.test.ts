// What slips by while nobody enforces a policy is found afterwards: with the webhook away, and with what enforces deleted.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { enforce, podSecurityPolicy, read, restrictedPod } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

let cluster: Cluster;
let shieldx: ShieldxOnHost;

interface Gap {
  readonly cause: string;
  readonly from: string;
  readonly until?: string;
  readonly found?: number;
  readonly audited?: boolean;
  readonly objects?: readonly {
    readonly name: string;
    readonly manager?: string;
    readonly violates?: boolean;
  }[];
}
interface Found {
  readonly status?: {
    readonly gaps?: readonly Gap[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}
const gapOf = async (name: string, cause: string) =>
  (await read<Found>(cluster, "shieldpolicy", name))?.status?.gaps?.find((gap) => gap.cause === cause);
const enforcedOf = async (name: string) =>
  (await read<Found>(cluster, "shieldpolicy", name))?.status?.conditions?.find(
    ({ type }) => type === "Enforced",
  );
const create = (name: string) =>
  cluster.kubectl(["create", "-f", "-"], {
    input: JSON.stringify(restrictedPod(name, { hostNetwork: true }, "shop")),
  });
const audited = (name: string, cause: string) =>
  waitFor(
    `${cause} of ${name} audited`,
    async () => {
      const gap = await gapOf(name, cause);
      return gap?.audited === true ? gap : undefined;
    },
    { timeoutMs: 90_000 },
  );

beforeAll(async () => {
  cluster = await startCluster({ name: "gaps" });
  shieldx = await startShieldxOnHost(cluster, { operators: 1 });
  await mustKubectl(cluster, ["create", "namespace", "shop"]);
  await create("older");
  // Timestamps have whole seconds: what was there before is to be told apart.
  const made = Date.now();
  await waitFor("some seconds later", () => Date.now() - made > 3_000);
  await enforce(cluster, podSecurityPolicy("strict"));
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

describe("what was written while a policy was not enforced", () => {
  it("is found when somebody deleted the webhook's configuration while no operator ran", async () => {
    expect((await create("refused")).code).not.toBe(0);
    for (const operator of shieldx.operators) await operator.kill();
    await mustKubectl(cluster, ["delete", "validatingwebhookconfiguration", "shieldx-policies-fail"]);
    await waitFor("let in", async () => (await create("slipped")).code === 0);
    await shieldx.startOperator();
    const gap = await audited("strict", "Tampering");
    expect(gap.objects?.map(({ name }) => name)).toEqual(["slipped"]);
    expect(gap).toMatchObject({ found: 1, objects: [{ manager: "kubectl-create", violates: true }] });
    expect((await create("refused")).code).not.toBe(0);
  });

  it("is found when no replica answered and failurePolicy is Ignore, and is none where it is Fail", async () => {
    await enforce(cluster, podSecurityPolicy("lenient", { failurePolicy: "Ignore" }));
    await mustKubectl(cluster, ["delete", "shieldpolicy", "strict"]);
    await enforce(
      cluster,
      podSecurityPolicy("elsewhere", {
        matchConstraints: { namespaceSelector: { matchLabels: { no: "where" } } },
      }),
    );
    await waitFor("refused by lenient", async () => (await create("refused")).stderr.includes("lenient"));
    for (const webhook of shieldx.webhooks.splice(0)) await webhook.kill();
    expect((await create("unseen")).code).toBe(0);
    await waitFor("missed", async () => (await enforcedOf("lenient"))?.reason === "NoReplica", {
      timeoutMs: 90_000,
    });
    await waitFor("recorded", () => gapOf("lenient", "NoReplica"));
    await shieldx.startWebhooks();
    const gap = await audited("lenient", "NoReplica");
    expect(gap.objects).toMatchObject([{ name: "unseen", manager: "kubectl-create", violates: true }]);
    expect(gap.found).toBe(1);
    expect(await gapOf("elsewhere", "NoReplica")).toBeUndefined();
  });
  it("is none of what the operator takes away itself", async () => {
    const configuration = () => read(cluster, "validatingwebhookconfiguration", "shieldx-policies-fail");
    for (let time = 0; time < 2; time++) {
      await mustKubectl(cluster, ["delete", "shieldpolicy", "--all"]);
      await waitFor("nothing is asked", async () => (await configuration()) === undefined);
      await enforce(cluster, podSecurityPolicy("anew"));
    }
    // Nor of what somebody took away before there was this policy, at the beginning.
    expect(await gapOf("anew", "Tampering")).toBeUndefined();
  });
});
