import { type ChildProcess, fork } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { runCommand } from "../command.ts";
import { buildKubernetes, startCluster, waitFor } from "../index.ts";
import { readState } from "../state.ts";
import { tearDown } from "../teardown.ts";
import { buildNodeBinaries } from "./index.ts";
import { machineState, namespaceOf, processesOf } from "./leftovers.test-kit.ts";
import { createReady, type Kubectl, kubectl, testPod } from "./pods.test-kit.ts";

interface Running {
  readonly id: string;
  readonly dir: string;
}

beforeAll(async () => {
  await buildKubernetes("1.37");
  await buildNodeBinaries();
});

/** Something to leave behind: a plain Pod, one in gVisor, a published port, a Service and a policy. */
async function makeItBusy(cluster: Kubectl): Promise<void> {
  await createReady(cluster, [
    testPod({ name: "plain" }),
    testPod({ name: "sandboxed", runtimeClassName: "gvisor" }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "plain" },
      spec: { type: "NodePort", selector: { app: "plain" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "nobody" },
      spec: { podSelector: {}, policyTypes: ["Ingress"] },
    },
  ]);
}

async function namespacesOf({ dir }: Running): Promise<string[]> {
  const holder = (await readState(dir))?.processes["node-1"]?.pid ?? 0;
  return await Promise.all([namespaceOf(holder, "net"), namespaceOf(holder, "mnt")]);
}

/** The folder is gone, no process is left, and the machine looks as it did before. */
async function expectNothingLeft(
  cluster: Running & { namespaces: readonly string[] },
  before: Awaited<ReturnType<typeof machineState>>,
): Promise<void> {
  await expect(access(cluster.dir)).rejects.toMatchObject({ code: "ENOENT" });
  // The watchdog removes the folder as its last act but one.
  await vi.waitFor(async () => expect(await processesOf(cluster)).toEqual([]), { timeout: 10_000 });
  expect(await machineState(cluster.id)).toEqual(before);
}

/** A cluster whose owner is another process. */
async function held(): Promise<{ owner: ChildProcess; cluster: Running & Kubectl }> {
  const owner = fork(join(import.meta.dirname, "held-cluster.test-kit.ts"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<Running & { kubeconfig: string }>();
  owner.once("message", (message) => resolve(message as Running & { kubeconfig: string }));
  owner.once("exit", (code) => reject(new Error(`the cluster's owner ended with ${code}`)));
  const { id, dir, kubeconfig } = await promise;
  const cluster = {
    id,
    dir,
    kubectl: (args: readonly string[], options?: { readonly input?: string }) =>
      runCommand(join(dir, "bin", "kubectl"), ["--kubeconfig", kubeconfig, ...args], options),
  };
  return { owner, cluster };
}

describe("the end of a cluster with a node", () => {
  it("leaves nothing after its node was killed and booted again, with the same Pods", async () => {
    const before = await machineState("none");
    const cluster = await startCluster({ nodes: 1, log: console.log });
    await makeItBusy(cluster);
    const idOf = (pod: string) => kubectl(cluster, ["get", "pod", pod, "-o", "jsonpath={.metadata.uid}"]);
    const holder = async () => (await readState(cluster.dir))?.processes["node-1"]?.pid;
    const [uid, former, formerHolder] = [await idOf("plain"), await namespacesOf(cluster), await holder()];
    const [node] = cluster.nodes;
    await node?.kill();
    expect(await processesOf({ id: "none", dir: `${cluster.dir}/nodes/node-1`, namespaces: former })).toEqual(
      [],
    );
    const began = performance.now();
    await node?.start();
    console.log(`node Ready again after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    // A container's restart is what tells a Pod that runs from one that was not looked at since.
    for (const pod of ["plain", "sandboxed"]) {
      await waitFor(
        `${pod} runs again`,
        async () => (await cluster.kubectl(["exec", pod, "--", "hostname"])).stdout.trim() === pod,
        { timeoutMs: 60_000 },
      );
    }
    console.log(`its Pods run after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(await idOf("plain")).toBe(uid);
    expect(await holder()).not.toBe(formerHolder);
    const namespaces = await namespacesOf(cluster);
    await cluster.stop();
    await expectNothingLeft({ ...cluster, namespaces }, before);
  });

  it("leaves nothing when it is stopped", async () => {
    const before = await machineState("none");
    const began = performance.now();
    const cluster = await startCluster({ nodes: 1, log: console.log });
    const nodeReady = performance.now() - began;
    await createReady(cluster, [testPod({ name: "first" })]);
    const podRunning = performance.now() - began;
    console.log(
      `warm start: node Ready and DNS answering after ${(nodeReady / 1000).toFixed(1)} s, ` +
        `first Pod Ready after ${(podRunning / 1000).toFixed(1)} s`,
    );
    await makeItBusy(cluster);
    const namespaces = await namespacesOf(cluster);
    const during = await machineState(cluster.id);
    expect(during.links).not.toEqual(before.links);
    expect((await processesOf({ ...cluster, namespaces })).length).toBeGreaterThan(8);

    const stopping = performance.now();
    await cluster.stop();
    console.log(`stop: ${((performance.now() - stopping) / 1000).toFixed(1)} s`);
    await expectNothingLeft({ ...cluster, namespaces }, before);
  });

  it("leaves nothing when its owner is killed", async () => {
    const before = await machineState("none");
    const { owner, cluster } = await held();
    await makeItBusy(cluster);
    const namespaces = await namespacesOf(cluster);
    owner.kill("SIGKILL");
    await waitFor("the watchdog to clear up", async () => !(await exists(cluster.dir)), {
      timeoutMs: 60_000,
    });
    await expectNothingLeft({ ...cluster, namespaces }, before);
  });

  it("leaves nothing that the next tear-down does not find when owner and watchdog are killed", async () => {
    const before = await machineState("none");
    const { owner, cluster } = await held();
    await makeItBusy(cluster);
    const namespaces = await namespacesOf(cluster);
    const watchdog = (await readState(cluster.dir))?.watchdog?.pid;
    expect(watchdog).toBeGreaterThan(1);
    owner.kill("SIGKILL");
    process.kill(watchdog as number, "SIGKILL");
    // Containers outlive their daemons: that is what has to be found from the folder alone.
    expect((await processesOf({ ...cluster, namespaces })).length).toBeGreaterThan(0);
    const messages: string[] = [];
    await tearDown(cluster.dir, (message) => messages.push(message));
    expect(messages.join("\n")).toMatch(/ended \d+ processes/);
    await expectNothingLeft({ ...cluster, namespaces }, before);
    // Once more, with nothing there.
    await tearDown(cluster.dir, () => undefined);
  });

  it("does not touch a cluster beside it", async () => {
    const [one, two] = await Promise.all([startCluster({ nodes: 1 }), startCluster({ nodes: 1 })]);
    try {
      await createReady(two, [testPod({ name: "survivor" })]);
      await one.stop();
      expect((await kubectl(two, ["exec", "survivor", "--", "hostname"])).trim()).toBe("survivor");
      await createReady(two, [testPod({ name: "later" })]);
    } finally {
      await one.stop();
      await two.stop();
    }
  });
});

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
