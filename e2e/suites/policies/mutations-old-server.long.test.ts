import { expect, it } from "vitest";
import { startCluster } from "../../cluster/index.ts";
import { startShieldxOnHost } from "../../shieldx/host.ts";
import { celPolicy, enforce } from "../../shieldx/objects.ts";

it("makes mutations by the webhook where the API server has no MutatingAdmissionPolicy, and says so", async () => {
  await using cluster = await startCluster({ name: "mutations-old", kubernetes: "1.34" });
  await using _shieldx = await startShieldxOnHost(cluster);
  const expression = "Object{metadata: Object.metadata{labels: {'mark': 'yes'}}}";
  const { status } = await enforce(
    cluster,
    celPolicy("marking", {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
    }),
  );
  expect(status).toMatchObject({
    enforcedBy: "Webhook",
    enforcedByReason: expect.stringContaining("Kubernetes 1.36 and later have"),
  });
  const flags = ["--dry-run=server", "-o", "jsonpath={.metadata.labels.mark}"];
  const { stdout } = await cluster.kubectl(["create", "configmap", "c", ...flags]);
  expect(stdout).toBe("yes");
});
