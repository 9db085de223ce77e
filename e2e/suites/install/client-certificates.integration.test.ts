// Replicas that want a client certificate: what the guide has the API servers be told, and who is sent away.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WEBHOOK_PATH } from "@shieldx/crds";
import { generateCa, issueLeaf, type KeyPair } from "@shieldx/pki";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { enforce, type Manifest, podSecurityPolicy, read, restrictedPod } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

let folder: string;
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let stranger: KeyPair;
let apiServer: KeyPair;

const times = { now: Date.now(), lifetimeMs: 86_400_000 };
const authority = () => generateCa({ commonName: "api-servers", ...times });
const client = (ca: KeyPair) =>
  issueLeaf({
    ca,
    commonName: "kube-apiserver",
    dnsNames: ["a"],
    ipAddresses: [],
    usages: ["client"],
    ...times,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "client-certificates-"));
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const ca = await authority();
  apiServer = await client(ca);
  stranger = await client(await authority());
  const user = {
    "client-certificate": await file("client.crt", apiServer.certificatePem),
    "client-key": await file("client.key", apiServer.privateKeyPem),
  };
  // Here the webhook has no Service, but a URL whose ports are not known yet.
  const users = [{ name: "*", user }];
  const kubeConfigFile = await file(
    "webhooks.kubeconfig",
    JSON.stringify({ apiVersion: "v1", kind: "Config", users }),
  );
  const apiVersion = "apiserver.config.k8s.io/v1";
  const plugins = ["ValidatingAdmissionWebhook", "MutatingAdmissionWebhook"].map((name) => ({
    name,
    configuration: { apiVersion, kind: "WebhookAdmissionConfiguration", kubeConfigFile },
  }));
  const config = await file(
    "config.yaml",
    JSON.stringify({ apiVersion, kind: "AdmissionConfiguration", plugins }),
  );
  cluster = await startCluster({
    name: "client-certificates",
    apiServerArgs: [`--admission-control-config-file=${config}`],
  });
  shieldx = await startShieldxOnHost(cluster, {
    operators: 1,
    webhookArgs: [`--client-ca-file=${await file("ca.crt", ca.certificatePem)}`],
  });
  await enforce(cluster, podSecurityPolicy("guarded"));
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** Status of the answer to a review that no API server made. */
async function forge(identity?: KeyPair): Promise<number | undefined> {
  const asked = request(`${shieldx.webhookUrl}${WEBHOOK_PATH.fail}`, {
    method: "POST",
    agent: false,
    // Whose port it is is not the question here.
    rejectUnauthorized: false,
    headers: { "content-type": "application/json" },
    ...(identity === undefined ? {} : { cert: identity.certificatePem, key: identity.privateKeyPem }),
  });
  asked.end("{}");
  const [response] = await once(asked, "response");
  response.resume();
  return response.statusCode;
}

describe("replicas that want a client certificate", () => {
  it("answer API servers that show one, and probes as well", async () => {
    const create = (pod: Manifest) =>
      cluster.kubectl(["create", "--dry-run=server", "-f", "-"], { input: JSON.stringify(pod) });
    expect((await create(restrictedPod("good"))).code).toBe(0);
    const refused = await create(restrictedPod("bad", { hostNetwork: true }));
    expect(refused.stderr).toContain('ShieldPolicy "guarded"');
    // A leaf is followed by another only after the API server has proved, by the probe's port, that it trusts it.
    const leafOf = async () =>
      (
        await read<{ data?: Record<string, string> }>(
          cluster,
          "secret",
          "shieldx-webhooks-tls",
          "-n",
          "shieldx-system",
        )
      )?.data?.["tls.crt"];
    const before = await leafOf();
    expect(before).toBeDefined();
    const rotate = [
      "annotate",
      "secret",
      "shieldx-webhooks-ca",
      "-n",
      "shieldx-system",
      "shieldx.io/rotate=leaf:1",
    ];
    await mustKubectl(cluster, rotate);
    await waitFor("another leaf", async () => (await leafOf()) !== before, { timeoutMs: 60_000 });
    await waitFor("refused as before", async () =>
      (await create(restrictedPod("bad", { hostNetwork: true }))).stderr.includes('ShieldPolicy "guarded"'),
    );
  });

  it("send away whoever shows none, or a stranger's, before they look at what he sends", async () => {
    await expect(forge()).rejects.toThrow();
    await expect(forge(stranger)).rejects.toThrow();
    expect(await forge(apiServer)).toBe(400);
  });
});
