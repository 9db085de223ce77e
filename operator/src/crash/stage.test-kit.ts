import { readFile } from "node:fs/promises";
import { NAMESPACE, startTestBed } from "../cluster.test-kit.ts";
import { StandInReplica } from "../replica.test-kit.ts";
import type { Stage } from "./enumerate.test-kit.ts";

/** A control plane with every kind the scenarios need, and a replica that lives through all runs. */
export async function openStage(): Promise<{ stage: Stage; close(): Promise<void> }> {
  const bed = await startTestBed({ name: `crash-${process.pid}` });
  const reports = new URL("../../../crds/third-party/openreports.io_reports.yaml", import.meta.url);
  await bed.kubectl(["apply", "--server-side", "-f", "-"], await readFile(reports, "utf8"));
  await bed.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
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
