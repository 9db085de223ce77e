import { mkdtemp, rm, stat } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeImageArchive } from "../image/archive.ts";
import { imageArchitecture } from "../image/node-images.ts";
import { type Cluster, startCluster, waitFor } from "../index.ts";
import { buildNodeBinaries } from "./binaries.ts";
import { gvisorRuntimeClass } from "./cluster-objects.ts";
import { loadImage } from "./images.ts";
import { createReady, kubectl, testPod } from "./pods.test-kit.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 });
  await createReady(cluster, [
    testPod({ name: "one", node: "node-1", labels: { app: "web" } }),
    testPod({ name: "two", node: "node-2" }),
    testPod({ name: "beside-one", node: "node-1" }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ]);
  await kubectl(cluster, [
    "wait",
    "--for=jsonpath={.endpoints[0].conditions.ready}=true",
    "endpointslice",
    "--selector=kubernetes.io/service-name=web",
    "--timeout=30s",
  ]);
});

afterAll(async () => {
  await cluster?.stop();
});

/** What the Pod gets from the URL, or undefined when nothing answers within two seconds. */
async function fetchFrom(pod: string, url: string): Promise<string | undefined> {
  const command = ["timeout", "2", "wget", "-q", "-O", "-", url];
  const { stdout, code } = await cluster.kubectl(["exec", pod, "--", ...command]);
  return code === 0 ? stdout.trim() : undefined;
}

async function fieldOf(object: string, path: string): Promise<string> {
  return await kubectl(cluster, ["get", object, "-o", `jsonpath={${path}}`]);
}

async function becomes(what: string, url: string, pod: string, expected: string | undefined): Promise<void> {
  await waitFor(what, async () => (await fetchFrom(pod, url)) === expected, { timeoutMs: 60_000 });
}

describe("a cluster with two nodes", () => {
  it("has two Ready nodes, each with the Pod range its routes lead to", async () => {
    for (const node of cluster.nodes) {
      const ready = '.status.conditions[?(@.type=="Ready")].status';
      expect(await fieldOf(`node/${node.name}`, ready)).toBe("True");
      expect(await fieldOf(`node/${node.name}`, ".spec.podCIDR")).toBe(node.podCidr);
    }
    expect(cluster.nodes.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
  });

  it("runs Pods on both", async () => {
    expect(await fieldOf("pod/one", ".spec.nodeName")).toBe("node-1");
    expect(await fieldOf("pod/two", ".spec.nodeName")).toBe("node-2");
  });

  it("carries traffic from Pod to Pod across nodes", async () => {
    const address = await fieldOf("pod/one", ".status.podIP");
    expect(await fetchFrom("two", `http://${address}:8080/`)).toBe("one");
  });

  it.each(["two", "beside-one", "one"])("answers at a ClusterIP, asked by %s", async (pod) => {
    const address = await fieldOf("service/web", ".spec.clusterIP");
    await becomes("an answer of the Service", `http://${address}/`, pod, "one");
  });

  it.each(["two", "beside-one"])("resolves a Service by its name in %s", async (pod) => {
    await becomes("an answer under the Service's name", "http://web.default.svc.cluster.local/", pod, "one");
    await becomes("an answer under the short name", "http://web/", pod, "one");
  });

  it("lets the API server reach a Service's Pods", async () => {
    const answer = await kubectl(cluster, [
      "get",
      "--raw",
      "/api/v1/namespaces/default/services/web:80/proxy/",
    ]);
    expect(answer.trim()).toBe("one");
  });

  it.each(["two", "beside-one"])(
    "enforces a NetworkPolicy against %s, and stops when it is gone",
    async (pod) => {
      const url = `http://${await fieldOf("pod/one", ".status.podIP")}:8080/`;
      await becomes("an answer before the policy", url, pod, "one");
      await kubectl(cluster, ["create", "-f", "-"], {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: "nobody" },
        spec: { podSelector: { matchLabels: { app: "web" } }, policyTypes: ["Ingress"] },
      });
      try {
        await becomes("the policy's denial", url, pod, undefined);
      } finally {
        await kubectl(cluster, ["delete", "networkpolicy", "nobody"]);
      }
      await becomes("an answer after the policy", url, pod, "one");
    },
  );

  it("lets the API server call a webhook that runs as Pods behind a Service", async () => {
    const clientConfig = {
      service: { namespace: "default", name: "web", port: 80 },
      caBundle: Buffer.from(cluster.caPem).toString("base64"),
    };
    await kubectl(cluster, ["create", "-f", "-"], {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "reached" },
      webhooks: [
        {
          name: "reached.example.com",
          clientConfig,
          rules: [
            { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
          ],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
          failurePolicy: "Fail",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    });
    // The Pod speaks plain HTTP: that the API server complains of its handshake shows that it got there.
    await waitFor(
      "the call of the webhook",
      async () => {
        const { stderr } = await cluster.kubectl(["create", "configmap", "any", "--dry-run=server"]);
        return /does not look like a TLS handshake|HTTP response to HTTPS client/.test(stderr);
      },
      { timeoutMs: 20_000 },
    );
    await kubectl(cluster, ["delete", "validatingwebhookconfiguration", "reached"]);
  });

  it("shows a Pod's log and runs commands in it, on both nodes", async () => {
    for (const pod of ["one", "two"]) {
      expect(await kubectl(cluster, ["logs", pod])).toBe("serving\n");
      expect((await kubectl(cluster, ["exec", pod, "--", "hostname"])).trim()).toBe(pod);
    }
  });

  it("has kubelets that refuse a client without a certificate", async () => {
    const [node] = cluster.nodes;
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get({ host: node?.address, port: 10250, path: "/pods", ca: cluster.caPem }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).once("error", reject);
    });
    expect(answer).toBe(401);
  });

  it("runs Pods of RuntimeClass gvisor in gVisor", async () => {
    await createReady(cluster, [
      testPod({ name: "sandboxed", node: "node-2", runtimeClassName: gvisorRuntimeClass }),
    ]);
    expect(await kubectl(cluster, ["exec", "sandboxed", "--", "dmesg"])).toContain("Starting gVisor");
    expect(await kubectl(cluster, ["exec", "one", "--", "sh", "-c", "dmesg | head -5; true"])).not.toContain(
      "gVisor",
    );
    await becomes("a Service's answer inside gVisor", "http://web/", "sandboxed", "one");
  });

  it("runs an image of its own on every node", async () => {
    const folder = await mkdtemp(join(tmpdir(), "image-"));
    try {
      const archive = join(folder, "image.tar");
      const name = "docker.io/local/own:test";
      const { pause } = await buildNodeBinaries();
      const { size } = await stat(pause);
      await writeImageArchive(archive, [
        {
          name,
          architecture: imageArchitecture(),
          config: { User: "1000:1000", Entrypoint: ["/opt/program"] },
          layers: [[{ type: "file", path: "opt/program", mode: 0o755, source: pause, sizeBytes: size }]],
        },
      ]);
      await loadImage(cluster, archive);
      await createReady(cluster, [
        testPod({ name: "own-1", node: "node-1", image: name }),
        testPod({ name: "own-2", node: "node-2", image: name }),
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
