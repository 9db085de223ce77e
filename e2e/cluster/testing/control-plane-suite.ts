/** What every supported Kubernetes release has to do here, whichever suite runs it. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kubernetesReleases } from "../build/kubernetes.ts";
import type { Cluster } from "../cluster.ts";
import { Authority } from "../control-plane/certificates.ts";
import { Endpoint } from "../control-plane/endpoint.ts";
import { startCluster } from "../start.ts";
import type { KubernetesMinor } from "../types.ts";
import { waitFor } from "../wait.ts";

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

export function controlPlaneSuite(kubernetes: KubernetesMinor): void {
  describe("a control plane", () => {
    let cluster: Cluster;

    beforeAll(async () => {
      const began = performance.now();
      cluster = await startCluster({ kubernetes, audit: true });
      console.info(
        `Kubernetes ${kubernetes}: control plane ready in ${((performance.now() - began) / 1000).toFixed(1)} s`,
      );
    });
    afterAll(async () => {
      await cluster?.stop();
    });

    it("serves the release that was asked for", async () => {
      const { stdout, code } = await cluster.kubectl(["version", "-o", "json"]);
      expect(code).toBe(0);
      const version: { serverVersion: { gitVersion: string }; clientVersion: { gitVersion: string } } =
        JSON.parse(stdout);
      expect(version.serverVersion.gitVersion).toBe(kubernetesReleases[kubernetes]);
      expect(version.clientVersion.gitVersion).toBe(kubernetesReleases[kubernetes]);
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
      for (const file of [cluster.dir, cluster.kubeconfig, join(cluster.dir, "pki", "ca.key")]) {
        expect((await stat(file)).mode & 0o077).toBe(0);
      }
    });

    it("refuses a second cluster of the same name and leaves the first alone", async () => {
      await expect(startCluster({ name: cluster.name })).rejects.toMatchObject({ code: "CLUSTER_EXISTS" });
      expect((await cluster.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");
    });
  });

  describe("two API servers", () => {
    it("are both listed in the kubernetes EndpointSlice, fail and come back one at a time", async () => {
      await using cluster = await startCluster({ kubernetes, apiServers: 2 });
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
      await waitFor(
        "the second server's listing",
        async () => (await publishedServers(cluster)).length === 2,
        {
          timeoutMs: 30_000,
        },
      );

      await first!.kill();
      expect(first!.pid).toBeUndefined();
      expect((await cluster.kubectl(["get", "namespaces", `--kubeconfig=${elsewhere}`])).code).toBe(0);
      await first!.start();
      expect((await cluster.kubectl(["get", "namespaces"])).code).toBe(0);
    });
  });
}
