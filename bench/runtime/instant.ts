/** A server that answers at once, in place of an API server that is busier than its clients. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildGoBinary, type Cluster } from "@shieldx/e2e/cluster";
import { Authority } from "../../e2e/cluster/control-plane/certificates.ts";
import { freePort } from "../../e2e/shieldx/host.ts";

export interface InstantServer extends AsyncDisposable {
  readonly kubeconfig: string;
}

/** Starts it beside a cluster, with a kubeconfig of its own. */
export async function startInstantServer(cluster: Cluster): Promise<InstantServer> {
  const module = join(import.meta.dirname, "..", "peers", "instant");
  const binary = await buildGoBinary({ module, output: "instant" });
  const folder = join(cluster.dir, "instant");
  await mkdir(folder, { recursive: true });
  const authority = await Authority.create("instant-ca");
  const server = await authority.issue({ commonName: "instant", ipAddresses: ["127.0.0.1"] }, "server");
  const client = await authority.issue({ commonName: "bench" }, "client");
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  await writeFile(certificate, server.certificate);
  await writeFile(key, server.key, { mode: 0o600 });
  const address = `127.0.0.1:${await freePort()}`;
  const running = await cluster.processes.start({
    name: "instant",
    command: binary,
    args: [address, certificate, key],
  });
  const data = (pem: string | Buffer): string => Buffer.from(pem).toString("base64");
  const kubeconfig = join(folder, "kubeconfig");
  const context = { name: "instant", context: { cluster: "instant", user: "bench" } };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "instant",
    contexts: [context],
    clusters: [
      {
        name: "instant",
        cluster: {
          server: `https://${address}`,
          "certificate-authority-data": data(authority.certificatePem),
        },
      },
    ],
    users: [
      {
        name: "bench",
        user: {
          "client-certificate-data": data(client.certificate),
          "client-key-data": data(client.key),
        },
      },
    ],
  };
  await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  return { kubeconfig, [Symbol.asyncDispose]: async () => void (await running.stop()) };
}
