import { readFile } from "node:fs/promises";
import { GENERATION_VERBS } from "@shieldx/crds";
import { NAMESPACE, startTestBed } from "../cluster.test-kit.ts";
import { StandInReplica } from "../replica.test-kit.ts";
import type { Stage } from "./enumerate.test-kit.ts";
import { STANDING_NAMESPACES } from "./standing-state.test-kit.ts";

/** Where objects are generated and cleaned up, and what the chart's values grant for it. */
function namespacesWithRights(): object[] {
  const rbac = "rbac.authorization.k8s.io";
  const metadata = { name: "crash-standing" };
  const subjects = [{ kind: "ServiceAccount", name: "shieldx-operator", namespace: NAMESPACE }];
  const rule = (apiGroup: string, resource: string, verbs: readonly string[]) => ({
    apiGroups: [apiGroup],
    resources: [resource],
    verbs,
  });
  const rules = [
    rule("networking.k8s.io", "networkpolicies", GENERATION_VERBS),
    rule("", "limitranges", GENERATION_VERBS),
    rule("", "configmaps", ["list", "delete"]),
  ];
  return [
    ...STANDING_NAMESPACES.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })),
    { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: metadata.name },
      subjects,
    },
  ];
}

/** A control plane with every kind the scenarios need, and a replica that lives through all runs. */
export async function openStage(): Promise<{ stage: Stage; close(): Promise<void> }> {
  const bed = await startTestBed({ name: `crash-${process.pid}` });
  const reports = new URL("../../../crds/third-party/openreports.io_reports.yaml", import.meta.url);
  await bed.kubectl(["apply", "--server-side", "-f", "-"], await readFile(reports, "utf8"));
  await bed.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  await bed.apply(...namespacesWithRights());
  const replica = new StandInReplica(bed.admin, NAMESPACE);
  await replica.listen();
  replica.join();
  const kubeconfig = await bed.cluster.serviceAccountKubeconfig(NAMESPACE, "shieldx-operator", {
    expirationSeconds: 12 * 3600,
  });
  const address = { kind: "url", admit: replica.url, probe: replica.probeUrl } as const;
  return {
    stage: { bed, address, kubeconfig },
    async close() {
      await replica.stop();
      await bed.stop();
    },
  };
}
