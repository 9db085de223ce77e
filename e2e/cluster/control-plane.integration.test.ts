import { spawn } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Cluster } from "./cluster.ts";
import { Authority } from "./control-plane/certificates.ts";
import { Endpoint } from "./control-plane/endpoint.ts";
import { localAddresses } from "./loopback-address.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import { startCluster } from "./start.ts";
import { readState } from "./state.ts";
import { removeLeftovers } from "./stop.ts";
import { waitFor } from "./wait.ts";

interface SliceList {
  items: { endpoints: { addresses: string[] }[]; ports: { port: number }[] }[];
}

async function publishedServers(cluster: Cluster): Promise<string[]> {
  const selector = "--selector=kubernetes.io/service-name=kubernetes";
  const { stdout } = await cluster.kubectl([
    "get",
    "endpointslices",
    "-n",
    "default",
    selector,
    "-o",
    "json",
  ]);
  const list: SliceList = JSON.parse(stdout);
  return list.items
    .flatMap((slice) =>
      slice.endpoints.flatMap((endpoint) =>
        endpoint.addresses.map((address) => `${address}:${slice.ports[0]?.port}`),
      ),
    )
    .sort();
}

/** Every process of a cluster, its watchdog included. */
async function processesOf(dir: string): Promise<ProcessIdentity[]> {
  const state = await readState(dir);
  if (!state?.watchdog) throw new Error(`${dir} has no watchdog`);
  return [state.watchdog, ...Object.values(state.processes)];
}

async function allGone(processes: readonly ProcessIdentity[], dir: string): Promise<boolean> {
  const alive = await Promise.all(processes.map(isAlive));
  const isFolderThere = await access(dir).then(
    () => true,
    () => false,
  );
  return !alive.includes(true) && !isFolderThere;
}

describe("a control plane", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    const began = performance.now();
    cluster = await startCluster({ audit: true });
    console.info(`control plane ready in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  it("serves the release that was asked for", async () => {
    const { stdout, code } = await cluster.kubectl(["version", "-o", "json"]);
    expect(code).toBe(0);
    const version: { serverVersion: { gitVersion: string }; clientVersion: { gitVersion: string } } =
      JSON.parse(stdout);
    expect(version.serverVersion.gitVersion).toBe("v1.37.2");
    expect(version.clientVersion.gitVersion).toBe("v1.37.2");
  });

  it("is refused by a client that trusts another CA", async () => {
    const other = await Authority.create("another");
    const url = cluster.apiServers[0]!.url;
    await expect(new Endpoint(url, other.certificatePem).get("/version")).rejects.toThrow(
      /self-signed|unable to verify/i,
    );
    const trusting = new Endpoint(url, cluster.caPem);
    expect((await trusting.get("/version")).status).toBe(200);
    trusting.close();
  });

  it("refuses a client certificate of another CA", async () => {
    const other = await Authority.create("another");
    const intruder = await other.issue(
      { commonName: "kubernetes-admin", organizations: ["system:masters"] },
      "client",
    );
    const endpoint = new Endpoint(cluster.apiServers[0]!.url, cluster.caPem, intruder);
    expect((await endpoint.get("/api/v1/namespaces")).status).toBe(401);
    endpoint.close();
  });

  it("lets a ServiceAccount do what RBAC gives it, and nothing else", async () => {
    await cluster.kubectl(["create", "serviceaccount", "reader", "-n", "default"]);
    const kubeconfig = await cluster.serviceAccountKubeconfig("default", "reader");
    const asReader = (args: string[]) => cluster.kubectl([...args, `--kubeconfig=${kubeconfig}`]);
    const refused = await asReader(["get", "configmaps", "-n", "default"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'User "system:serviceaccount:default:reader" cannot list resource "configmaps"',
    );

    await cluster.kubectl([
      "create",
      "role",
      "reader",
      "-n",
      "default",
      "--verb=list",
      "--resource=configmaps",
    ]);
    const binding = ["create", "rolebinding", "reader", "-n", "default", "--role=reader"];
    await cluster.kubectl([...binding, "--serviceaccount=default:reader"]);
    await waitFor(
      "the rights of the role",
      async () => (await asReader(["get", "configmaps", "-n", "default"])).code === 0,
      {
        timeoutMs: 10_000,
      },
    );
    expect((await asReader(["get", "secrets", "-n", "default"])).code).toBe(1);
  });

  it("gives tokens that last at least ten minutes", async () => {
    const kubeconfig = await cluster.serviceAccountKubeconfig("default", "default", {
      expirationSeconds: 600,
    });
    const { token } = (
      JSON.parse(await readFile(kubeconfig, "utf8")) as { users: { user: { token: string } }[] }
    ).users[0]!.user;
    const claims: { exp: number; iat: number } = JSON.parse(
      Buffer.from(token.split(".")[1]!, "base64url").toString(),
    );
    expect(claims.exp - claims.iat).toBeGreaterThanOrEqual(600);
  });

  it("runs its controllers: a namespace with objects is deleted to the end", async () => {
    await cluster.kubectl(["create", "namespace", "short-lived"]);
    await cluster.kubectl(["create", "configmap", "held", "-n", "short-lived", "--from-literal=a=b"]);
    await cluster.kubectl([
      "create",
      "deployment",
      "web",
      "-n",
      "short-lived",
      "--image=example.invalid/web",
    ]);
    await waitFor(
      "the Pod of the Deployment",
      async () =>
        (await cluster.kubectl(["get", "pods", "-n", "short-lived", "-o", "name"])).stdout.startsWith(
          "pod/web-",
        ),
      { timeoutMs: 20_000 },
    );
    const { code, stderr } = await cluster.kubectl(["delete", "namespace", "short-lived", "--timeout=60s"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect((await cluster.kubectl(["get", "namespace", "short-lived"])).stderr).toContain("NotFound");
  });

  it("writes an audit event for a request", async () => {
    await cluster.kubectl(["get", "configmap", "no-such-thing-to-audit"]);
    const log = await readFile(cluster.auditLog!, "utf8");
    const event = log.split("\n").find((line) => line.includes("no-such-thing-to-audit"));
    expect(JSON.parse(event!)).toMatchObject({ verb: "get", responseStatus: { code: 404 } });
  });

  it("keeps its keys and kubeconfigs from other users", async () => {
    const { stat } = await import("node:fs/promises");
    for (const file of [cluster.dir, cluster.kubeconfig, join(cluster.dir, "pki", "ca.key")]) {
      expect((await stat(file)).mode & 0o077).toBe(0);
    }
  });

  it("refuses a second cluster of the same name and leaves the first alone", async () => {
    await expect(startCluster({ name: cluster.name })).rejects.toMatchObject({ code: "CLUSTER_EXISTS" });
    expect((await cluster.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");
  });
});

describe("clusters side by side", () => {
  it("do not see each other, and each ends without the other", async () => {
    const [one, two] = await Promise.all([startCluster(), startCluster()]);
    try {
      await one.kubectl(["create", "namespace", "only-here"]);
      expect((await two.kubectl(["get", "namespace", "only-here"])).stderr).toContain("NotFound");
      const withForeignKey = await one.kubectl(["get", "namespaces", `--server=${two.apiServers[0]!.url}`]);
      expect(withForeignKey.stderr).toMatch(/certificate signed by unknown authority/);
    } finally {
      await one.stop();
    }
    expect((await two.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");
    await two.stop();
  });

  it("leave nothing behind when one cannot start", async () => {
    const name = "cannot-start";
    const failing = startCluster({ name, apiServerArgs: ["--no-such-flag"] });
    await expect(failing).rejects.toMatchObject({ code: "PROCESS_EXITED", message: /no-such-flag/ });
    await using again = await startCluster({ name });
    expect(again.name).toBe(name);
  });
});

describe("two API servers", () => {
  it("are both listed in the kubernetes EndpointSlice, fail and come back one at a time", async () => {
    await using cluster = await startCluster({ apiServers: 2 });
    const expected = cluster.apiServers.map((server) => `${server.address}:${server.port}`).sort();
    expect(new Set(expected).size).toBe(2);
    expect(await publishedServers(cluster)).toEqual(expected);

    const [first, second] = cluster.apiServers;
    await cluster.kubectl(["create", "namespace", "seen-by-both"]);
    const elsewhere = await cluster.kubeconfigFor(1);
    const viaSecond = await cluster.kubectl([
      "get",
      "namespace",
      "seen-by-both",
      `--kubeconfig=${elsewhere}`,
    ]);
    expect(viaSecond.code).toBe(0);

    await second!.stop();
    expect(second!.pid).toBeUndefined();
    expect((await cluster.kubectl(["get", "namespaces"])).code).toBe(0);
    await waitFor(
      "the end of the second server's listing",
      async () => (await publishedServers(cluster)).length === 1,
      {
        timeoutMs: 30_000,
      },
    );
    await second!.start();
    await waitFor("the second server's listing", async () => (await publishedServers(cluster)).length === 2, {
      timeoutMs: 30_000,
    });

    await first!.kill();
    expect(first!.pid).toBeUndefined();
    expect((await cluster.kubectl(["get", "namespaces", `--kubeconfig=${elsewhere}`])).code).toBe(0);
    await first!.start();
    expect((await cluster.kubectl(["get", "namespaces"])).code).toBe(0);
  });
});

describe("the end of a cluster", () => {
  const owner = join(import.meta.dirname, "testing", "owner.ts");

  /** A process of its own that starts a cluster and then does nothing. */
  async function startOwner(): Promise<{ pid: number; dir: string; addresses: string[] }> {
    const child = spawn(process.execPath, [owner], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: child.stdout })) {
      const started: { dir: string; addresses: string[] } = JSON.parse(line);
      return { pid: child.pid!, ...started };
    }
    throw new Error("the owner ended before its cluster was ready");
  }

  it("is complete after kill -9 of the process that owns it", async () => {
    const { pid, dir, addresses } = await startOwner();
    const processes = await processesOf(dir);
    expect((await Promise.all(processes.map(isAlive))).every((alive) => alive)).toBe(true);
    process.kill(pid, "SIGKILL");
    await waitFor("the end of every process and of the folder", () => allGone(processes, dir), {
      timeoutMs: 20_000,
    });
    const added = addresses.filter((address) => address.startsWith("198.1"));
    expect(added.filter((address) => localAddresses().has(address))).toEqual([]);
  });

  it.runIf(process.platform === "linux")(
    "takes its processes along when even the watchdog is killed",
    async () => {
      await using cluster = await startCluster();
      const [watchdog, ...rest] = await processesOf(cluster.dir);
      process.kill(watchdog!.pid, "SIGKILL");
      await waitFor(
        "the end of every process",
        async () => !(await Promise.all(rest.map(isAlive))).includes(true),
        {
          timeoutMs: 10_000,
        },
      );
      // What files and addresses it left is for `make cluster-down`.
      expect(await removeLeftovers()).toContain(cluster.name);
      await expect(access(cluster.dir)).rejects.toThrow("ENOENT");
    },
  );
});
