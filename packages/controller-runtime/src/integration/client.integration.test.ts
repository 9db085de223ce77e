import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Cluster, startCluster } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import {
  type ApiError,
  type Client,
  ConfigMap,
  type Credentials,
  createClient,
  Deployment,
  inClusterCredentials,
  isConflict,
  isForbidden,
  isNotFound,
  loadCredentials,
  Pod,
  realClock,
  staticCredentials,
  TokenReview,
} from "../index.ts";

let cluster: Cluster;
let client: Client;
/** A token of the service account default/tester, which may read config maps. */
let token: string;

beforeAll(async () => {
  cluster = await startCluster();
  client = createClient({ credentials: await loadCredentials({ kubeconfig: cluster.kubeconfig }) });
  await cluster.kubectl(["create", "serviceaccount", "tester", "-n", "default"]);
  await cluster.kubectl([
    "create",
    "role",
    "reader",
    "-n",
    "default",
    "--verb=get,list,watch",
    "--resource=configmaps",
  ]);
  await cluster.kubectl([
    "create",
    "rolebinding",
    "reader",
    "-n",
    "default",
    "--role=reader",
    "--serviceaccount=default:tester",
  ]);
  const kubeconfig = parse(
    await readFile(await cluster.serviceAccountKubeconfig("default", "tester"), "utf8"),
  ) as {
    users: { user: { token: string } }[];
  };
  token = kubeconfig.users[0]!.user.token;
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

const map = (name: string, data: Record<string, string> = { a: "1" }) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});

async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
  return promise.then(
    () => expect.fail("it did not throw"),
    (error: ApiError) => error,
  );
}

/** Runs with a client of these credentials. */
async function as<R>(credentials: Credentials, run: (client: Client) => Promise<R>): Promise<R> {
  const other = createClient({ credentials });
  try {
    return await run(other);
  } finally {
    await other.close();
  }
}

describe("Client on a real API server", () => {
  it("creates, reads, replaces, patches and deletes", async () => {
    const created = await client.create(ConfigMap, map("crud"));
    expect(await client.get(ConfigMap, created.metadata)).toEqual(created);
    const replaced = await client.replace(ConfigMap, { ...created, data: { a: "2" } });
    const patched = await client.patch(
      ConfigMap,
      created.metadata,
      [{ op: "add", path: "/data/b", value: "3" }],
      { type: "json" },
    );
    expect(patched.data).toEqual({ a: "2", b: "3" });
    expect(isConflict(await errorOf(client.replace(ConfigMap, replaced)))).toBe(true);
    expect(
      isConflict(
        await errorOf(client.delete(ConfigMap, created.metadata, { preconditions: { uid: "another" } })),
      ),
    ).toBe(true);
    await client.delete(ConfigMap, created.metadata);
    expect(await client.find(ConfigMap, created.metadata)).toBeUndefined();
    expect(isNotFound(await errorOf(client.delete(ConfigMap, created.metadata)))).toBe(true);
  });

  it("is told of unknown and duplicate fields instead of losing them", async () => {
    const misspelt = { ...map("strict"), spec: { replica: 3 } };
    const error = await errorOf(client.create(ConfigMap, misspelt));
    expect(error).toMatchObject({ code: 400, reason: "BadRequest" });
    expect(error.message).toMatch(/create configmaps default\/strict: .*unknown field "spec"/);
    expect(
      (await client.create(ConfigMap, misspelt, { fieldValidation: "Ignore", dryRun: true })).metadata.name,
    ).toBe("strict");
    expect(await client.find(ConfigMap, misspelt.metadata)).toBeUndefined();
  });

  it("names the causes of an invalid object", async () => {
    const error = await errorOf(
      client.create(Deployment, {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "x", namespace: "default" },
        spec: {},
      }),
    );
    expect(error).toMatchObject({ code: 422, reason: "Invalid" });
    expect(error.details?.causes?.map((cause) => cause.field)).toContain("spec.selector");
  });

  it("meets a conflict with another applier, unless it forces", async () => {
    await client.apply(ConfigMap, map("shared"), { fieldManager: "one" });
    const error = await errorOf(client.apply(ConfigMap, map("shared", { a: "2" }), { fieldManager: "two" }));
    expect(isConflict(error)).toBe(true);
    expect(error.details?.causes?.[0]).toMatchObject({ reason: "FieldManagerConflict", field: ".data.a" });
    expect(
      (await client.apply(ConfigMap, map("shared", { a: "2" }), { fieldManager: "two", force: true })).data,
    ).toEqual({ a: "2" });
  });

  it("asks for metadata only, reviews tokens and reads the version", async () => {
    const [name] = ["metadata-only"];
    await client.create(ConfigMap, map(name));
    const only = await client.get(ConfigMap, map(name).metadata, { metadataOnly: true });
    expect(only.data).toBeUndefined();
    const review = await client.create(TokenReview, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: { name: "" },
      spec: { token },
    });
    expect(review.status?.user?.username).toBe("system:serviceaccount:default:tester");
    expect(await client.serverVersion()).toMatchObject({ major: 1, minor: 37 });
  });

  it("verifies the server's certificate", async () => {
    const other = await as(staticCredentials({ server: cluster.apiServers[0]!.url, token }), (bare) =>
      errorOf(bare.get(ConfigMap, map("x").metadata)),
    );
    expect(other).toMatchObject({ name: "TransportError", code: "TlsFailed" });
  });

  it("waits out a server that asks it to", async () => {
    const throttled = await startCluster({
      apiServerArgs: ["--enable-priority-and-fairness=false", "--max-mutating-requests-inflight=2"],
    });
    try {
      const codes = new Map<string, number>();
      const busy = createClient({
        // members of system:masters are never throttled
        credentials: await loadCredentials({
          kubeconfig: await throttled.clientKubeconfig({ commonName: "somebody", organizations: [] }),
        }),
        metrics: {
          requestFinished: ({ code }) => codes.set(code, (codes.get(code) ?? 0) + 1),
          requestDuration: () => undefined,
        },
      });
      await throttled.kubectl([
        "create",
        "clusterrolebinding",
        "somebody",
        "--clusterrole=cluster-admin",
        "--user=somebody",
      ]);
      const names = Array.from({ length: 40 }, (_, at) => `busy-${at}`);
      await Promise.all(
        names.map((name) => busy.apply(ConfigMap, map(name), { fieldManager: "busy", retries: 40 })),
      );
      const listed = await busy.list(ConfigMap, { namespace: "default" });
      expect(listed.items.map((item) => item.metadata.name)).toEqual(expect.arrayContaining(names));
      expect(codes.get("429")).toBeGreaterThan(0);
      await busy.close();
    } finally {
      await throttled.stop();
    }
  });
});

describe("credentials on a real API server", () => {
  it("of a service account, as a Pod has them, with its rights and no more", async () => {
    const account = join(cluster.dir, "account");
    await (await import("node:fs/promises")).mkdir(account);
    await writeFile(join(account, "ca.crt"), cluster.caPem);
    await writeFile(join(account, "token"), "not.a.token");
    const { address, port } = cluster.apiServers[0]!;
    const env = { KUBERNETES_SERVICE_HOST: address, KUBERNETES_SERVICE_PORT: String(port) };
    const credentials = await inClusterCredentials(realClock, undefined, env, account);
    await as(credentials, async (pod) => {
      expect(await errorOf(pod.list(ConfigMap, { namespace: "default" }))).toMatchObject({ code: 401 });
      await writeFile(join(account, "token"), token); // the kubelet renews it: seen at the next 401, not a minute later
      expect((await pod.list(ConfigMap, { namespace: "default" })).kind).toBe("ConfigMapList");
      expect(isForbidden(await errorOf(pod.list(Pod, { namespace: "default" })))).toBe(true);
    });
  });

  it("of an exec plugin, asked again when the server refuses what it issued first", async () => {
    const plugin = join(cluster.dir, "login.sh");
    const issued = (value: string) =>
      JSON.stringify({
        apiVersion: "client.authentication.k8s.io/v1",
        kind: "ExecCredential",
        status: { token: value },
      });
    await writeFile(
      plugin,
      `#!/bin/sh\nif [ -e ${plugin}.again ]; then echo '${issued(token)}'; else touch ${plugin}.again; echo '${issued("expired")}'; fi\n`,
    );
    await chmod(plugin, 0o755);
    const path = join(cluster.dir, "exec.kubeconfig");
    await writeFile(
      path,
      stringify({
        "current-context": "x",
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        clusters: [
          {
            name: "c",
            cluster: {
              server: cluster.apiServers[0]!.url,
              "certificate-authority-data": Buffer.from(cluster.caPem).toString("base64"),
            },
          },
        ],
        users: [
          {
            name: "u",
            user: {
              exec: {
                apiVersion: "client.authentication.k8s.io/v1",
                command: "./login.sh",
                interactiveMode: "Never",
              },
            },
          },
        ],
      }),
    );
    await as(await loadCredentials({ kubeconfig: path }), async (person) => {
      expect((await person.list(ConfigMap, { namespace: "default" })).kind).toBe("ConfigMapList");
    });
  });
});
