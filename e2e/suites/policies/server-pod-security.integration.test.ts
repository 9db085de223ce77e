// The API server judges Pods by the same standards itself. For its own version
// our verdicts and our words must be the same as its.
import { ApiError, type Client, createClient, loadCredentials } from "@shieldx/controller-runtime";
import { evaluatePodSecurity } from "@shieldx/policy-engine";
import { type FixturePod, readUpstreamFixtures } from "@shieldx/policy-engine/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";

const levels = ["baseline", "restricted"] as const;
let cluster: Cluster;
let client: Client;

beforeAll(async () => {
  cluster = await startCluster({ name: "server-psa" });
  client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  for (const level of levels) {
    await cluster.kubectl(["create", "namespace", level]);
    await cluster.kubectl(["create", "serviceaccount", "default", "-n", level]);
    await cluster.kubectl(["label", "namespace", level, `pod-security.kubernetes.io/enforce=${level}`]);
  }
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

async function dryRun(
  pod: unknown,
  namespace: string,
): Promise<{ pod?: FixturePod; refusal?: string; invalid?: string }> {
  try {
    const answer = await client.request("POST", `/api/v1/namespaces/${namespace}/pods`, {
      query: { dryRun: "All" },
      body: pod,
    });
    return { pod: JSON.parse(answer.body) as FixturePod };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const message = error.status.message ?? "";
    return error.code === 403
      ? { refusal: message.split(/violates PodSecurity "[^"]*": /)[1] ?? message }
      : { invalid: message };
  }
}

it("agrees with the API server's own Pod Security admission on every fixture of its version", async () => {
  const { minor } = await client.serverVersion();
  const fixtures = (await readUpstreamFixtures()).filter((f) => f.version === `v1.${minor}`);
  const differences: string[] = [];
  let refused = 0;
  let invalid = 0;
  for (const { file, level, pod: fixture } of fixtures) {
    // Some fixtures bear names no server accepts.
    const pod = { ...fixture, metadata: { ...fixture.metadata, name: "fixture" } };
    // Admission judges the Pod with the server's defaults filled in, so ours gets it that way too.
    const defaulted = await dryRun(pod, "default");
    if (defaulted.pod === undefined) {
      invalid += 1;
      continue;
    }
    const { metadata, spec } = defaulted.pod;
    const ours = evaluatePodSecurity({ level, version: `v1.${minor}`, metadata, spec });
    const theirs = (await dryRun(pod, level)).refusal ?? "";
    if (!ours.allowed) refused += 1;
    const words = ours.violations.map((v) => `${v.reason} (${v.detail})`).join(", ");
    if (words !== theirs.trim()) differences.push(`${file}\n  ours:   ${words}\n  theirs: ${theirs}`);
  }
  console.log(
    `v1.${minor}: ${fixtures.length} Pods, ${refused} refused by both, ${invalid} not valid on this server`,
  );
  expect(differences).toEqual([]);
  expect(refused).toBeGreaterThan(50);
  expect(invalid).toBeLessThan(fixtures.length / 10);
});
