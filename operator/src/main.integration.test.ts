import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { kinds } from "@shieldx/crds";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operatorRbac } from "./rbac.ts";

const NAMESPACE = "shieldx-system";
const runner = `import { main } from ${JSON.stringify(new URL("./main.ts", import.meta.url).href)};
process.exitCode = await main(process.argv.slice(1));`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly health: (path: string) => Promise<number>;
  output(): string;
}

async function start(kubeconfig: string, ...more: string[]): Promise<Started> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      runner,
      "--",
      `--kubeconfig=${kubeconfig}`,
      `--health-bind-address=127.0.0.1:${port}`,
      "--metrics-bind-address=0",
      ...more,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  }
  return {
    child,
    exited: new Promise((resolve) => child.once("close", resolve)),
    output: () => output,
    health: async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status,
  };
}

describe("the operator's process on a real control plane", () => {
  let cluster: Cluster;
  let kubeconfig: string;
  const apply = async (input: string | object) => {
    const text = typeof input === "string" ? input : JSON.stringify(input);
    const { code, stderr } = await cluster.kubectl(["apply", "--server-side", "-f", "-"], { input: text });
    expect(code, stderr).toBe(0);
  };
  const grant = (kind: string, namespace: string | undefined, rules: unknown) => {
    const api = "rbac.authorization.k8s.io";
    const metadata = { name: "shieldx-operator", ...(namespace === undefined ? {} : { namespace }) };
    const subjects = [{ kind: "ServiceAccount", name: "shieldx-operator", namespace: NAMESPACE }];
    return [
      { apiVersion: `${api}/v1`, kind, metadata, rules },
      {
        apiVersion: `${api}/v1`,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup: api, kind, name: metadata.name },
        subjects,
      },
    ];
  };

  beforeAll(async () => {
    cluster = await startCluster({ name: "operator-main" });
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
    await apply({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "shieldx-operator", namespace: NAMESPACE },
    });
    kubeconfig = await cluster.serviceAccountKubeconfig(NAMESPACE, "shieldx-operator");
  });
  afterAll(() => cluster.stop());

  it("waits alive and not ready for its roles and kinds, becomes ready unaided, and ends in good order", async () => {
    const operator = await start(kubeconfig);
    const says = (text: string) =>
      waitFor(`says ${text}`, async () => operator.output().includes(text), { timeoutMs: 30_000 });
    await says("missing rights");
    expect(await operator.health("/healthz")).toBe(200);
    expect(await operator.health("/readyz")).toBe(503);

    for (const object of grant("ClusterRole", undefined, operatorRbac.cluster)) await apply(object);
    for (const object of grant("Role", NAMESPACE, operatorRbac.namespace)) await apply(object);
    await says("ShieldPolicy (shieldpolicies.shieldx.io) is not installed");
    expect(await operator.health("/readyz")).toBe(503);

    for (const { plural: file } of kinds) {
      await apply(await readFile(new URL(`../../crds/generated/${file}.yaml`, import.meta.url), "utf8"));
    }
    await waitFor("ready", async () => (await operator.health("/readyz")) === 200, { timeoutMs: 60_000 });
    await waitFor(
      "certificates made",
      async () =>
        (await cluster.kubectl(["get", "secret", "shieldx-webhooks-tls", "-n", NAMESPACE])).code === 0,
      { timeoutMs: 30_000 },
    );
    expect(operator.output()).not.toContain("PRIVATE KEY");
    operator.child.kill("SIGTERM");
    expect(await operator.exited).toBe(0);
    const lease = await cluster.kubectl(["get", "lease", "shieldx-operator", "-n", NAMESPACE, "-o", "json"]);
    expect(JSON.parse(lease.stdout).spec.holderIdentity ?? "").toBe("");
  });

  it("ends with code 1 and one clear line when the server does not know its token", async () => {
    const text = await readFile(kubeconfig, "utf8");
    const path = join(cluster.dir, "wrong-token");
    await writeFile(path, text.replace(/(token"?: *"?)[\w.-]+/, "$1wrong"));
    const operator = await start(path);
    expect(await operator.exited).toBe(1);
    expect(operator.output()).toMatch(/shieldx operator: .*401/);
  });

  it("ends with code 1 and one clear line when the server's certificate is not trusted", async () => {
    const text = await readFile(kubeconfig, "utf8");
    const path = join(cluster.dir, "wrong-ca");
    await writeFile(path, text.replace(/"?certificate-authority(-data)?"?: *"?[^\s",}]+"?,?/, ""));
    const operator = await start(path);
    expect(await operator.exited).toBe(1);
    expect(operator.output()).toMatch(/shieldx operator: .*not trusted/);
  });
});
