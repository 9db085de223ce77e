import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Policies that carry tests of their own: what fails them never acts, whoever evaluates it. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;

beforeAll(async () => {
  cluster = await startCluster({ name: "policy-tests" });
  shieldx = await startShieldxOnHost(cluster);
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const deployment = (replicas: number): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  spec: { replicas },
});
const few = (replicas: number, decision: string) => ({
  name: `${replicas} replicas`,
  object: deployment(replicas),
  expect: decision === "allow" ? { decision } : { decision, message: "at most 5" },
});
const passing = [few(5, "allow"), few(6, "deny")];
const failing = [few(5, "allow"), few(6, "allow")];
const tolerant = { validations: [{ expression: "object.spec.replicas <= 50", message: "at most 5" }] };

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
async function conditions(name: string): Promise<Record<string, Condition>> {
  const policy = await read<{ status?: { conditions?: Condition[] } }>(cluster, "shieldpolicy", name);
  return Object.fromEntries((policy?.status?.conditions ?? []).map((each) => [each.type, each]));
}
const untilTests = (name: string, status: string) =>
  waitFor(`TestsPassed ${status} of ${name}`, async () => {
    const found = await conditions(name);
    return found.TestsPassed?.status === status ? found : undefined;
  });
const createDeployment = (replicas: number) =>
  cluster.kubectl([
    ...["create", "deployment", "web", "--image=none.invalid/none", "--dry-run=server"],
    `--replicas=${replicas}`,
  ]);

describe("a policy whose tests fail", () => {
  it("is refused at apply, with the case and what came of it", async () => {
    const native = await apply(cluster, replicaLimit("few", { tests: failing }));
    expect(native.allowed).toBe(false);
    expect(native.message).toMatch(
      /spec\.tests\[1\]: case "6 replicas": expected it to be allowed, but it was denied: .*at most 5 replicas/,
    );
    const pod = { apiVersion: "v1", kind: "Pod", spec: { containers: [], hostNetwork: true } };
    const test = { name: "host network", object: pod, expect: { decision: "allow" } };
    const baseline = await apply(cluster, podSecurityPolicy("pods", { tests: [test] }));
    expect(baseline.message).toContain('case "host network"');
  });

  it("is not in force where nobody refused it, and says why; corrected, it is; broken again, the former stays", async () => {
    // Nobody is there to refuse it: calls about our own kinds are let pass then.
    await shieldx.webhooks[0]?.stop();
    expect((await apply(cluster, replicaLimit("few", { tests: failing }))).allowed).toBe(true);
    const refused = await untilTests("few", "False");
    expect(refused.TestsPassed).toMatchObject({ reason: "TestsFailed" });
    expect(refused.TestsPassed?.message).toContain(
      'spec.tests[1]: case "6 replicas": expected it to be allowed',
    );
    expect(refused.Compiled).toMatchObject({ status: "True" });
    expect(refused.Enforced).toMatchObject({ status: "False", reason: "TestsNotPassed" });
    expect(refused.Ready).toMatchObject({ status: "False", reason: "TestsFailed" });
    expect(await read(cluster, "validatingadmissionpolicy", "shieldx-few")).toBeUndefined();
    expect((await createDeployment(6)).code).toBe(0);

    await enforce(cluster, replicaLimit("few", { tests: passing }));
    expect((await untilTests("few", "True")).TestsPassed).toMatchObject({ message: "all 2 cases pass" });
    // The API server takes admission policies in once a second.
    await waitFor("refused", async () => (await createDeployment(6)).stderr.includes("at most 5 replicas"));

    expect((await apply(cluster, replicaLimit("few", { tests: passing, ...tolerant }))).allowed).toBe(true);
    const kept = await untilTests("few", "False");
    expect(kept.TestsPassed?.message).toContain("expected it to be denied");
    expect(kept.Degraded).toMatchObject({ status: "True", reason: "OlderVersion" });
    expect((await createDeployment(6)).stderr).toContain("at most 5 replicas");
    await cluster.kubectl(["delete", "shieldpolicy", "few"]);
  });

  it("takes no part in the webhook, also in a replica that starts with it", async () => {
    const webhook = (tests: unknown) => replicaLimit("asked", { evaluation: "Webhook", tests });
    expect((await apply(cluster, webhook(failing))).allowed).toBe(true);
    await shieldx.startWebhooks();
    await untilTests("asked", "False");
    expect((await createDeployment(6)).code).toBe(0);
    await enforce(cluster, webhook(passing));
    expect((await createDeployment(6)).stderr).toContain('ShieldPolicy "asked" refuses');
    expect((await apply(cluster, webhook(failing))).message).toContain('case "6 replicas"');
    expect((await createDeployment(6)).stderr).toContain('ShieldPolicy "asked" refuses');
  });
});
