import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadCredentials } from "@shieldx/controller-runtime";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ConnectionCounter, FaultProxy } from "../testing/fault-proxy.ts";
import { Operators, type RunningOperator, type Side } from "../testing/operators.ts";

const SIDES = ["theirs", "ours"] as const;
const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.test.shieldx.io" },
  spec: {
    group: "test.shieldx.io",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    ],
  },
};

describe("one class on @dot-i/k8s-operator 1.3.9 and on this package", () => {
  let cluster: Cluster;
  let operators: Operators;

  beforeAll(async () => {
    [cluster, operators] = await Promise.all([startCluster({ name: "dot-i" }), Operators.prepare()]);
  });
  afterAll(async () => {
    await operators?.remove();
    await cluster?.stop();
  });

  const kubectl = async (args: string[], input?: object): Promise<string> => {
    const given = input === undefined ? {} : { input: JSON.stringify(input) };
    const { code, stdout, stderr } = await cluster.kubectl(args, given);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const widget = (name: string, namespace: string, spec: object = { size: 1 }) => ({
    apiVersion: "test.shieldx.io/v1",
    kind: "Widget",
    metadata: { name, namespace },
    spec,
  });
  const put = (object: object) => kubectl(["apply", "--server-side", "-f", "-"], object);
  const read = async (name: string, namespace: string): Promise<Widget | undefined> => {
    const text = await kubectl(["get", "widget", name, "-n", namespace, "-o", "json", "--ignore-not-found"]);
    return text === "" ? undefined : (JSON.parse(text) as Widget);
  };
  const until = (what: string, condition: () => Promise<boolean> | boolean) =>
    waitFor(what, async () => (await condition()) || undefined, { timeoutMs: 30_000, intervalMs: 20 });
  const isSettled = async (name: string, namespace: string): Promise<boolean> => {
    const found = await read(name, namespace);
    return found?.status?.isPatched === true && found.status.observedGeneration === found.metadata.generation;
  };
  const start = (side: Side, kubeconfig: string, namespace: string): RunningOperator => {
    const operator = operators.start(side, kubeconfig, namespace);
    onTestFinished(() => operator.stop());
    return operator;
  };
  /** A namespace, a proxy and an operator behind it. */
  const behindProxy = async (side: Side, fault: string) => {
    const namespace = `${fault}-${side}`;
    await kubectl(["create", "namespace", namespace]);
    const proxy = await FaultProxy.start(await loadCredentials({ kubeconfig: cluster.kubeconfig }));
    onTestFinished(() => proxy.stop());
    const kubeconfig = join(operators.folder, `${namespace}.json`);
    await writeFile(kubeconfig, proxy.kubeconfig);
    const operator = start(side, kubeconfig, namespace);
    const hasSeen = (name: string) => operator.about(name).length > 0;
    return { namespace, proxy, operator, hasSeen };
  };

  it("a kind that does not exist yet ends the original; here the watch begins once it does", async () => {
    await kubectl(["create", "namespace", "early"]);
    const theirs = start("theirs", cluster.kubeconfig, "early");
    const ours = start("ours", cluster.kubeconfig, "early");
    await until("the original exited", () => theirs.exit !== undefined);
    expect(theirs.exit).toEqual({ code: 1 });
    await until("ours waits", () => ours.log.includes("does not exist yet"));
    await kubectl(["create", "-f", "-"], crd);
    await kubectl(["wait", "--for=condition=Established", "crd/widgets.test.shieldx.io", "--timeout=30s"]);
    await put(widget("first", "early"));
    await until("the status written", () => isSettled("first", "early"));
    expect(ours.exit).toBeUndefined();
  });

  it("registers a kind from its file, and offers k8sApi", async () => {
    const crdFile = join(operators.folder, "widgets.json");
    await writeFile(crdFile, JSON.stringify(crd));
    const run = async (side: Side) => {
      const operator = operators.start(side, cluster.kubeconfig, "early", crdFile);
      onTestFinished(() => operator.stop());
      await until(`${side}: registered`, () => operator.told.length > 0);
      return operator.told[0];
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(ours).toEqual(theirs);
    expect(ours).toEqual({
      group: "test.shieldx.io",
      version: "v1",
      plural: "widgets",
      namespace: "default",
    });
  });

  it("the text satisfies the original's types too", async () => {
    await operators.typeCheckTheirs();
  });

  it("sees the same events and leaves the same objects", async () => {
    const run = async (side: Side) => {
      const namespace = `same-${side}`;
      await kubectl(["create", "namespace", namespace]);
      await put(widget("early", namespace));
      const operator = start(side, cluster.kubeconfig, namespace);
      await until(`${side}: early settled`, () => isSettled("early", namespace));
      await put(widget("a", namespace));
      await until(`${side}: a settled`, () => isSettled("a", namespace));
      await put(widget("a", namespace, { size: 2 }));
      await until(
        `${side}: a settled anew`,
        async () => (await isSettled("a", namespace)) && (await read("a", namespace))?.status?.size === 2,
      );
      await kubectl(["label", "widget", "early", "-n", namespace, "colour=blue"]);
      await until(`${side}: label seen`, () => JSON.stringify(operator.told).includes("blue"));
      const kept = ["early", "a"].map(async (name) => {
        const found = await read(name, namespace);
        return { finalizers: found?.metadata.finalizers, status: found?.status };
      });
      const objects = await Promise.all(kept);
      await kubectl(["delete", "widget", "a", "-n", namespace]);
      await until(`${side}: deletion seen`, () => operator.about("a").at(-1) === "DELETED");
      const { told } = operator;
      await operator.stop();
      return { objects, told };
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(ours).toEqual(theirs);
    expect(ours?.told.length).toBeGreaterThan(10);
    expect(ours?.objects[1]).toEqual({
      finalizers: ["widgets.test.shieldx.io/cleanup"],
      status: { observedGeneration: 2, size: 2, isPatched: true },
    });
    console.log(`the same ${ours?.told.length} events and clean-ups on both`);
  });

  it("a reset connection ends the original; here nothing is lost", async () => {
    const run = async (side: Side) => {
      const { namespace, proxy, operator, hasSeen } = await behindProxy(side, "cut");
      await put(widget("before", namespace));
      await until(`${side}: before`, () => hasSeen("before"));
      proxy.cutWatches();
      await put(widget("after", namespace));
      await until(`${side}: exit, or after`, () => operator.exit !== undefined || hasSeen("after"));
      return operator;
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(theirs?.exit).toEqual({ code: 1 });
    expect(ours?.exit).toBeUndefined();
  });

  it("an expired watch (410) ends the original; here nothing is lost", async () => {
    const gone = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Expired", code: 410 };
    const run = async (side: Side) => {
      const { namespace, proxy, operator, hasSeen } = await behindProxy(side, "gone");
      await put(widget("before", namespace));
      await until(`${side}: before`, () => hasSeen("before"));
      proxy.inject({ type: "ERROR", object: gone });
      await put(widget("after", namespace));
      await until(`${side}: exit, or after`, () => operator.exit !== undefined || hasSeen("after"));
      return operator;
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(theirs?.exit).toEqual({ code: 1 });
    expect(theirs?.log).toContain("Malformed event object");
    expect(ours?.exit).toBeUndefined();
  });

  it("a deletion while disconnected never reaches the original, which replays the rest; here it is told", async () => {
    const run = async (side: Side) => {
      const { namespace, proxy, operator, hasSeen } = await behindProxy(side, "gap");
      const settled = ["kept", "lost"];
      for (const name of settled) await put(widget(name, namespace));
      for (const name of settled) {
        await until(`${side}: ${name}`, () => isSettled(name, namespace));
        const last = () => operator.told.findLast(({ meta }) => meta?.name === name);
        await until(`${side}: ${name} seen as settled`, () => JSON.stringify(last()).includes("isPatched"));
      }
      proxy.hold();
      proxy.endWatches();
      await until(`${side}: disconnected`, () => proxy.watches === 0);
      await kubectl([
        "patch",
        "widget",
        "lost",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"metadata":{"finalizers":null}}',
      ]);
      await kubectl(["delete", "widget", "lost", "-n", namespace]);
      await put(widget("next", namespace));
      proxy.release();
      await until(`${side}: next`, () => hasSeen("next"));
      return operator;
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(theirs?.about("lost")).not.toContain("DELETED");
    expect(theirs?.about("kept").filter((type) => type === "ADDED")).toHaveLength(2);
    await until("ours is told", () => ours?.about("lost").at(-1) === "DELETED");
    expect(ours?.about("kept").filter((type) => type === "ADDED")).toHaveLength(1);
  });

  it("an event whose handler throws is lost in the original; here it comes until it is dealt with", async () => {
    const run = async (side: Side) => {
      const namespace = `throws-${side}`;
      await kubectl(["create", "namespace", namespace]);
      const operator = start(side, cluster.kubeconfig, namespace);
      await put(widget("difficult", namespace, { size: 1, failures: 3 }));
      await until(`${side}: difficult`, () => operator.about("difficult").length > 0);
      await put(widget("next", namespace));
      await until(`${side}: next`, () => isSettled("next", namespace));
      return operator;
    };
    const [theirs, ours] = await Promise.all(SIDES.map(run));
    expect(theirs?.about("difficult")).toEqual(["ADDED"]);
    expect(theirs?.log).not.toContain("makes its handler fail");
    await until("ours settled", () => isSettled("difficult", "throws-ours"));
    expect(ours?.about("difficult").slice(0, 4)).toEqual(["ADDED", "ADDED", "ADDED", "ADDED"]);
    expect(ours?.log).toContain("will retry: Error: this widget makes its handler fail");
  });

  it("writes on connections that it keeps", async () => {
    const changes = 10;
    const run = async (side: Side) => {
      const namespace = `connections-${side}`;
      await kubectl(["create", "namespace", namespace]);
      const config = await readFile(cluster.kubeconfig, "utf8");
      const { server } = await loadCredentials({ kubeconfig: cluster.kubeconfig });
      const counter = await ConnectionCounter.start(server);
      onTestFinished(() => counter.stop());
      const kubeconfig = join(operators.folder, `${namespace}.yaml`);
      await writeFile(kubeconfig, config.replaceAll(server, counter.url));
      start(side, kubeconfig, namespace);
      const items = Array.from({ length: changes }, (_, i) => widget(`w-${i}`, namespace));
      await put({ apiVersion: "v1", kind: "List", items });
      for (let i = 0; i < changes; i++) {
        await until(`${side}: w-${i}`, () => isSettled(`w-${i}`, namespace));
      }
      return counter.connections;
    };
    const [theirs = 0, ours = 0] = await Promise.all(SIDES.map(run));
    console.log(`connections for ${changes * 3} writes and one watch: original ${theirs}, here ${ours}`);
    expect(theirs).toBeGreaterThan(changes * 3);
    expect(ours).toBeLessThan(10);
  });
});

interface Widget {
  readonly metadata: { readonly generation?: number; readonly finalizers?: string[] };
  readonly status?: { observedGeneration?: number; size?: number; isPatched?: boolean };
}
