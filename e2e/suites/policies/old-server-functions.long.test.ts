import { ConfigMap, type KubeObject } from "@shieldx/controller-runtime";
import { expect, it } from "vitest";
import { startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, celPolicy, enforce, tryCreate } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const matchConstraints = {
  resourceRules: [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
  ],
};
/** `distinct` came with 1.34, and is taken in new policies from 1.35 on. */
const plain = { expression: "object.metadata.name != 'bad'" };
const newer = { expression: "['bad', 'bad'].distinct() != [object.metadata.name]" };
const configMap = (name: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
});

it("evaluates here what the API server lacks a function for, says so, and leaves no gap", async () => {
  await using cluster = await startCluster({ name: "old-functions", kubernetes: "1.34" });
  await using _shieldx = await startShieldxOnHost(cluster);
  const [client] = await clientsOf(cluster);
  const policy = (validations: object[], more: object = {}) =>
    celPolicy("names", { matchConstraints, validations, ...more });

  // What the server has stays its own.
  expect((await enforce(cluster, policy([plain]))).status).toMatchObject({ enforcedBy: "Native" });

  let isOver = false;
  let [asked, open] = [0, 0];
  const asking = (async () => {
    while (!isOver) {
      asked++;
      try {
        await client.create(ConfigMap, configMap("bad") as unknown as KubeObject, {
          dryRun: true,
          retries: 0,
        });
        open++;
      } catch {
        // Refused, by whoever it was.
      }
    }
  })();
  try {
    const { status } = await enforce(cluster, policy([newer]));
    expect(status).toMatchObject({
      enforcedBy: "Webhook",
      enforcedByReason:
        "spec.validations[0].expression calls distinct, which came with Kubernetes 1.34 and which API servers take in policies from 1.35 on; this one is 1.34: ShieldX evaluates the expressions",
    });
    await waitFor("the rendered policy is gone", async () => {
      const { stdout } = await cluster.kubectl(["get", "validatingadmissionpolicies", "-o", "name"]);
      return !stdout.includes("shieldx-names");
    });
  } finally {
    isOver = true;
    await asking;
    await client.close();
  }
  expect(asked).toBeGreaterThan(10);
  expect(open).toBe(0);
  // The API server goes by what it read last, for a second or so.
  await waitFor("the webhook refuses alone", async () =>
    (await tryCreate(cluster, configMap("bad"))).message.includes('ShieldPolicy "names" refuses'),
  );
  expect((await tryCreate(cluster, configMap("good"))).allowed).toBe(true);

  // Demanded of a server that cannot, it is refused at apply; so is what the webhook takes no part in.
  const everything = { resourceRules: [{ ...matchConstraints.resourceRules[0], resources: ["*"] }] };
  for (const more of [{ evaluation: "Native" }, { matchConstraints: everything }]) {
    const { allowed, message } = await apply(cluster, policy([newer], more));
    expect(allowed).toBe(false);
    expect(message).toContain("calls distinct, which came with Kubernetes 1.34");
  }
});
