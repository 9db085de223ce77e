import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, it } from "vitest";
import { stringify } from "yaml";
import {
  type Client,
  ConfigMap,
  createClient,
  inClusterCredentials,
  loadCredentials,
  realClock,
  Secret,
  staticCredentials,
} from "../../index.ts";
import { Followed } from "./followed.test-kit.ts";
import { clientCertificate, replaceFile, TokenIssuer } from "./short-lived.test-kit.ts";

let cluster: Cluster;
let admin: Client;
let tokens: TokenIssuer;

beforeAll(async () => {
  cluster = await startCluster();
  admin = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  await cluster.kubectl(["create", "serviceaccount", "pod", "-n", "default"]);
  for (const [name, subject] of [
    ["pods", "--serviceaccount=default:pod"],
    ["people", "--user=person"],
  ] as const) {
    await cluster.kubectl(["create", "clusterrolebinding", name, "--clusterrole=view", subject]);
  }
  tokens = await TokenIssuer.of(cluster, admin, "default", "pod");
});
afterAll(async () => {
  await admin?.close();
  await cluster?.stop();
});

/** Files as the kubelet projects them into a Pod, and the credentials read from them. */
async function projected(name: string, token: string) {
  const folder = join(cluster.dir, name);
  await mkdir(folder);
  const tokenFile = join(folder, "token");
  await writeFile(join(folder, "ca.crt"), cluster.caPem);
  await writeFile(tokenFile, token);
  const [server] = cluster.apiServers;
  const env = { KUBERNETES_SERVICE_HOST: server?.address, KUBERNETES_SERVICE_PORT: String(server?.port) };
  return { tokenFile, credentials: await inClusterCredentials(realClock, undefined, env, folder) };
}

/** A kubeconfig whose one user is this. */
async function kubeconfigOf(name: string, user: object): Promise<string> {
  const path = join(cluster.dir, `${name}.kubeconfig`);
  const ca = Buffer.from(cluster.caPem).toString("base64");
  const server = cluster.apiServers[0]?.url;
  await writeFile(
    path,
    stringify({
      "current-context": "x",
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server, "certificate-authority-data": ca } }],
      users: [{ name: "u", user }],
    }),
  );
  return path;
}

/** An exec plugin that prints what is in a file, counts its runs, and fails while a file stands in its way. */
async function plugin(name: string, issued: object) {
  const path = join(cluster.dir, name);
  const answer = `${path}.json`;
  const set = async (status: object): Promise<void> =>
    replaceFile(
      answer,
      JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status }),
    );
  await set(issued);
  await writeFile(path, `#!/bin/sh\necho x >> ${path}.runs\n[ -e ${path}.down ] && exit 1\ncat ${answer}\n`);
  await chmod(path, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: path, interactiveMode: "Never" };
  return {
    kubeconfig: await kubeconfigOf(name, { exec }),
    set,
    down: `${path}.down`,
    runs: async () => (await readFile(`${path}.runs`, "utf8")).trim().split("\n").length,
  };
}

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

/** Renews `times` times, each before what it replaces has expired. */
async function renewing(times: number, everyMs: number, renew: () => Promise<unknown>): Promise<void> {
  for (let at = 0; at < times; at++) {
    await delay(everyMs);
    await renew();
  }
}

/** Waits until the server itself refuses this token: it remembers one that was good for ten seconds. */
async function refused(token: string): Promise<void> {
  const credentials = staticCredentials({
    server: cluster.apiServers[0]?.url ?? "",
    token,
    tls: { ca: cluster.caPem },
  });
  const client = createClient({ credentials });
  const isRefused = async (): Promise<boolean> =>
    client.list(ConfigMap, { namespace: "default" }).then(
      () => false,
      (error: { code?: number }) => error.code === 401,
    );
  await waitFor("the server to refuse the token", isRefused, { timeoutMs: 30_000, intervalMs: 200 });
  await client.close();
}

describe("credentials that end under an open watch, on a real API server", () => {
  it.concurrent("of a Pod: each token is renewed before it expires, and nothing is noticed", async ({
    expect,
  }) => {
    const { tokenFile, credentials } = await projected("renewed", tokens.issue(4));
    await using followed = await Followed.start(credentials, admin, "renewed");
    await followed.whileWriting(renewing(8, 2_000, () => replaceFile(tokenFile, tokens.issue(4))));
    const { written, delivered } = await followed.caughtUp();
    // Expired tokens were sent, or this would show nothing.
    expect(followed.codes.get("401")).toBeGreaterThan(0);
    expect(followed.failures).toEqual([]);
    expect(delivered).toBe(written);
  });

  it.concurrent("of a Pod: the token expires and is renewed late", async ({ expect }) => {
    const first = tokens.issue(2);
    const { tokenFile, credentials } = await projected("late", first);
    await using followed = await Followed.start(credentials, admin, "late");
    await followed.whileWriting(refused(first));
    await waitFor("the informer to be refused", async () => followed.failures.length > 0, {
      timeoutMs: 10_000,
    });
    expect(followed.failures.every((failure) => failure.endsWith(" rejected"))).toBe(true);
    await followed.whileWriting(replaceFile(tokenFile, tokens.issue(600)));
    await followed.caughtUp();
  });

  it.concurrent("of a Pod: the token is revoked with the object it is bound to", async ({ expect }) => {
    const holder = await admin.create(Secret, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "holder", namespace: "default" },
    });
    const { body } = await admin.request("POST", "/api/v1/namespaces/default/serviceaccounts/pod/token", {
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {
          boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "holder", uid: holder.metadata.uid },
        },
      },
    });
    const { token } = (JSON.parse(body) as { status: { token: string } }).status;
    const { tokenFile, credentials } = await projected("revoked", token);
    await using followed = await Followed.start(credentials, admin, "revoked");
    await admin.delete(Secret, holder.metadata);
    await replaceFile(tokenFile, tokens.issue(600));
    await followed.whileWriting(refused(token));
    await waitFor("a refusal of the old token", async () => (followed.codes.get("401") ?? 0) > 0, {
      timeoutMs: 10_000,
    });
    const { written, delivered } = await followed.caughtUp();
    expect(followed.failures).toEqual([]);
    expect(delivered).toBe(written);
  });

  it.concurrent("of a client certificate: renewed in its files, key and certificate one after the other", async ({
    expect,
  }) => {
    const certFile = join(cluster.dir, "person.crt");
    const keyFile = join(cluster.dir, "person.key");
    const renew = async (): Promise<void> => {
      const { certificate, key } = await clientCertificate(cluster, "person", 8);
      await replaceFile(certFile, certificate);
      await delay(20); // for a moment they do not belong together
      await replaceFile(keyFile, key);
    };
    await renew();
    const path = await kubeconfigOf("person", { "client-certificate": certFile, "client-key": keyFile });
    await using followed = await Followed.start(
      await loadCredentials({ kubeconfig: path }),
      admin,
      "certificate",
    );
    await followed.whileWriting(renewing(7, 2_000, renew));
    const { written, delivered } = await followed.caughtUp();
    expect(followed.codes.get("401")).toBeGreaterThan(0);
    expect(followed.failures.filter((failure) => failure.endsWith(" rejected"))).toEqual([]);
    expect(delivered).toBe(written);
  });

  it.concurrent("of an exec plugin: asked before each token expires, so that none is refused", async ({
    expect,
  }) => {
    const issue = () => ({ token: tokens.issue(5), expirationTimestamp: inSeconds(5) });
    const login = await plugin("tokens", issue());
    const credentials = await loadCredentials({ kubeconfig: login.kubeconfig });
    await using followed = await Followed.start(credentials, admin, "exec-token");
    await followed.whileWriting(renewing(50, 300, () => login.set(issue())));
    const { written, delivered } = await followed.caughtUp();
    expect(followed.codes.get("401") ?? 0).toBe(0);
    expect(followed.failures).toEqual([]);
    expect(delivered).toBe(written);
    const runs = await login.runs();
    expect(runs).toBeGreaterThanOrEqual(3);
    // With each request, of which there are several a second, it would be ten times as many.
    expect(runs).toBeLessThanOrEqual(12);
  });

  it.concurrent("of an exec plugin that issues client certificates and is out of order for a while", async ({
    expect,
  }) => {
    const issue = async () => {
      const { certificate, key } = await clientCertificate(cluster, "person", 4);
      return {
        clientCertificateData: certificate,
        clientKeyData: key,
        expirationTimestamp: inSeconds(4),
      };
    };
    const login = await plugin("certificates", await issue());
    const credentials = await loadCredentials({ kubeconfig: login.kubeconfig });
    await using followed = await Followed.start(credentials, admin, "exec-certificate");
    await writeFile(login.down, "");
    const failed = async (): Promise<boolean> => followed.failures.length > 0;
    await followed.whileWriting(waitFor("a failure", failed, { timeoutMs: 20_000 }));
    await login.set(await issue());
    await rm(login.down);
    const { written, delivered } = await followed.caughtUp();
    // Its watch broke off and went on where it had been: no list in between that might skip a state.
    expect(followed.failures.filter((failure) => failure.endsWith(" rejected"))).toEqual([]);
    expect(delivered).toBe(written);
  });
});
