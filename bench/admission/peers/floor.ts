/** A webhook that says yes to everything without looking: what calling one costs, whoever answers. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Authority } from "../../../e2e/cluster/control-plane/certificates.ts";
import { buildGoBinary, type Cluster, type RunningProcess } from "../../../e2e/cluster/index.ts";
import { freePort } from "../../../e2e/shieldx/host.ts";
import { ownAddress } from "./own-address.ts";

export function buildFloor(): Promise<string> {
  return buildGoBinary({ module: join(import.meta.dirname, "floor"), output: "webhook-floor" });
}

/** Starts it, registered for Pods created in namespaces labelled `bench=LABEL`. */
export async function startFloor(cluster: Cluster, label: string): Promise<RunningProcess> {
  const binary = await buildFloor();
  const [address, port] = [ownAddress(), await freePort()];
  const authority = await Authority.create("floor-ca");
  const pair = await authority.issue({ commonName: "floor", ipAddresses: [address] }, "server");
  const folder = join(cluster.dir, "floor");
  await mkdir(folder, { recursive: true });
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  await writeFile(certificate, pair.certificate);
  await writeFile(key, pair.key, { mode: 0o600 });
  const process = await cluster.processes.start({
    name: "webhook-floor",
    command: binary,
    args: [`${address}:${port}`, certificate, key],
  });
  const configuration = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "bench-floor" },
    webhooks: [
      {
        name: "floor.bench.shieldx.io",
        admissionReviewVersions: ["v1"],
        clientConfig: {
          caBundle: Buffer.from(authority.certificatePem).toString("base64"),
          url: `https://${address}:${port}/`,
        },
        failurePolicy: "Fail",
        sideEffects: "None",
        namespaceSelector: { matchLabels: { bench: label } },
        rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
    ],
  };
  const applied = await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(configuration) });
  if (applied.code !== 0) throw new Error(`the floor's webhook was refused: ${applied.stderr}`);
  return process;
}
