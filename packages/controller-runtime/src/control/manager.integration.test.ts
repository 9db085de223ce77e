import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { Agent, request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

/** What the README asks to be granted, and what these tests therefore run with. */
const manifests = `
apiVersion: v1
kind: Namespace
metadata: {name: runtime-test}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator, namespace: runtime-test}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: scraper, namespace: runtime-test}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nobody, namespace: runtime-test}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator, namespace: runtime-test}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator, namespace: runtime-test}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{kind: ServiceAccount, name: operator, namespace: runtime-test}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: runtime-test-reviews}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects: [{kind: ServiceAccount, name: operator, namespace: runtime-test}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: runtime-test-scrape}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: runtime-test-scrape}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: runtime-test-scrape}
subjects: [{kind: ServiceAccount, name: scraper, namespace: runtime-test}]
`;

interface Told {
  what: string;
  identity: string;
  at: number;
  name?: string;
  code?: string;
}

class ManagerProcess {
  readonly identity: string;
  readonly told: Told[] = [];
  readonly logs: string[] = [];
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(kubeconfig: string, identity: string, slowMs = 0) {
    this.identity = identity;
    const kit = new URL("./manager-process.test-kit.ts", import.meta.url).pathname;
    this.#child = spawn(process.execPath, [kit, identity, String(slowMs)], {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("no pipes");
    createInterface(stdout).on("line", (line) => this.told.push(JSON.parse(line) as Told));
    createInterface(stderr).on("line", (line) => this.logs.push(line));
    this.exited = new Promise((resolve) => this.#child.on("exit", resolve));
  }

  kill(signal: NodeJS.Signals): number {
    this.#child.kill(signal);
    return Date.now();
  }

  has(what: string, name?: string): Told | undefined {
    return this.told.find((told) => told.what === what && (name === undefined || told.name === name));
  }

  async tells(what: string, name?: string, timeoutMs = 30_000): Promise<Told> {
    return waitFor(`"${what}" of ${this.identity}`, async () => this.has(what, name), {
      timeoutMs,
      giveUp: () => {
        if (this.#child.exitCode === null) return;
        throw new Error(`${this.identity} has exited with ${this.#child.exitCode}:\n${this.logs.join("\n")}`);
      },
    });
  }

  /** Address of a server that the log says it serves. */
  async address(server: "health" | "metrics"): Promise<number> {
    return waitFor(
      `${server} of ${this.identity}`,
      async () => {
        const line = this.logs.find((log) => log.includes(`"serving ${server}"`));
        return line === undefined
          ? undefined
          : (JSON.parse(line) as { address: { port: number } }).address.port;
      },
      { timeoutMs: 60_000 },
    );
  }
}

let cluster: Cluster;
let kubeconfig: string;
const processes: ManagerProcess[] = [];

function start(identity: string, slowMs?: number): ManagerProcess {
  const started = new ManagerProcess(kubeconfig, identity, slowMs);
  processes.push(started);
  return started;
}

async function kubectl(args: string[], input?: string): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function createMap(name: string): Promise<void> {
  const map = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "runtime-test", labels: { test: "stamp" } },
  };
  await kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify(map));
}

beforeAll(async () => {
  cluster = await startCluster({ name: `runtime-${process.pid}`, audit: true });
  await kubectl(["apply", "--server-side", "-f", "-"], manifests);
  kubeconfig = await cluster.serviceAccountKubeconfig("runtime-test", "operator");
});

afterEach(async () => {
  for (const running of processes.splice(0)) {
    running.kill("SIGKILL");
    await running.exited;
  }
  await cluster.kubectl(["delete", "configmaps,leases,events", "--all", "-n", "runtime-test", "--wait=true"]);
});

afterAll(async () => {
  await cluster?.stop();
});

describe("two managers on a real API server", () => {
  it("hand over on SIGTERM without waiting for the lease to lapse, the first ending in good order", async () => {
    await createMap("beat");
    const first = start("first");
    await first.tells("reconciled", "beat");
    const second = start("second");
    await waitFor("second to be ready", () => answers(second, "/readyz", 200), { timeoutMs: 60_000 });
    expect(second.has("leading")).toBeUndefined();
    const killedAt = first.kill("SIGTERM");
    const leading = await second.tells("leading");
    expect(await first.exited).toBe(0);
    expect(first.has("ended")).toBeDefined();
    console.log(`takeover after SIGTERM: ${leading.at - killedAt} ms`);
    // A lease that was not released would stand for 13 s more at least.
    expect(leading.at - killedAt).toBeLessThan(10_000);
    await second.tells("reconciled", "beat");
  });

  it("drain on SIGTERM: not ready any more, the reconcile under way finishes, nothing new begins", async () => {
    const first = start("first", 3_000);
    await createMap("slow");
    await first.tells("reconciling", "slow");
    await waitFor("ready", () => answers(first, "/readyz", 200), { timeoutMs: 5_000 });
    first.kill("SIGTERM");
    await waitFor("not ready", () => answers(first, "/readyz", 503), { timeoutMs: 2_000 });
    expect(await answers(first, "/healthz", 200)).toBe(true);
    await createMap("late");
    expect(await first.exited).toBe(0);
    expect(first.has("reconciled", "slow")).toBeDefined();
    expect(first.has("reconciling", "late")).toBeUndefined();
    const holder = [
      "get",
      "lease",
      "runtime-test",
      "-n",
      "runtime-test",
      "-o",
      "jsonpath={.spec.holderIdentity}",
    ];
    expect(await kubectl(holder)).toBe("");
  });
});

describe("the Lease on the API server", () => {
  it("is written with microseconds and the defaults of client-go", async () => {
    await start("first").tells("leading");
    const text = await kubectl(["get", "lease", "runtime-test", "-n", "runtime-test", "-o", "json"]);
    const { spec } = JSON.parse(text) as { spec: Record<string, unknown> };
    expect(spec).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(spec.holderIdentity).toMatch(/^first_[0-9a-f-]{36}$/);
    expect(spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it("survives deletion: the leader makes it again and goes on", async () => {
    const first = start("first");
    await first.tells("leading");
    await kubectl(["delete", "lease", "runtime-test", "-n", "runtime-test"]);
    await waitFor(
      "the Lease to be there again",
      async () => {
        const { stdout } = await cluster.kubectl([
          "get",
          "lease",
          "runtime-test",
          "-n",
          "runtime-test",
          "-o",
          "name",
        ]);
        return stdout !== "";
      },
      { timeoutMs: 5_000 },
    );
    await createMap("after");
    await first.tells("reconciled", "after");
  });
});

describe("/metrics", () => {
  it("refuses without a token, a wrong one, or without the right, and answers an authorised ServiceAccount", async () => {
    const first = start("first");
    await createMap("one");
    await first.tells("reconciled", "one");
    expect((await scrape(first)).status).toBe(401);
    expect((await scrape(first, "not-a-token")).status).toBe(401);
    expect((await scrape(first, await token("nobody"))).status).toBe(403);
    const { status, body } = await scrape(first, await token("scraper"));
    expect(status).toBe(200);
    for (const line of [
      'controller_runtime_reconcile_total{controller="stamp",result="success"}',
      'workqueue_depth{name="stamp",controller="stamp",priority="0"} 0',
      'workqueue_adds_total{name="stamp",controller="stamp"}',
      'leader_election_master_status{name="runtime-test"} 1',
      'controller_runtime_max_concurrent_reconciles{controller="stamp"} 2',
      "process_cpu_seconds_total",
    ]) {
      expect(body).toContain(line);
    }
  });
});

describe("events", () => {
  it("become one Event with a series", async () => {
    await createMap("beat");
    const first = start("first");
    await first.tells("leading");
    const series = await waitFor(
      "a series",
      async () => {
        const text = await kubectl(["get", "events.events.k8s.io", "-n", "runtime-test", "-o", "json"]);
        const { items } = JSON.parse(text) as {
          items: { reason: string; regarding: { name: string }; series?: { count: number } }[];
        };
        const ours = items.filter((item) => item.reason === "Stamped" && item.regarding.name === "beat");
        return ours.length === 1 && (ours[0]?.series?.count ?? 0) >= 10 ? ours : undefined;
      },
      { timeoutMs: 40_000, intervalMs: 500 },
    );
    expect(series).toHaveLength(1);
  });
});

async function answers(target: ManagerProcess, path: string, status: number): Promise<boolean> {
  const port = await target.address("health");
  const response = await request(`http://127.0.0.1:${port}${path}`);
  const body = await response.body.text();
  expect(body).toBe("");
  return response.statusCode === status;
}

const anyCertificate = new Agent({ connect: { rejectUnauthorized: false } });

async function scrape(target: ManagerProcess, bearer?: string): Promise<{ status: number; body: string }> {
  const port = await target.address("metrics");
  const response = await request(`https://127.0.0.1:${port}/metrics`, {
    dispatcher: anyCertificate,
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
  });
  return { status: response.statusCode, body: await response.body.text() };
}

async function token(account: string): Promise<string> {
  return (await kubectl(["create", "token", account, "-n", "runtime-test"])).trim();
}
