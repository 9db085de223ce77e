import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError, type Client, ConfigMap, type KubeObject } from "@shieldx/controller-runtime";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildRegoCompiler, type Cluster, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import {
  apply,
  enforce,
  type Manifest,
  read,
  regoPolicy,
  tryCreate,
  untilCondition,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { BundleBuilder, BundleServer, bundleToken } from "./bundle-server.ts";

/** Policies made of OPA's bundles, from outside: fetched, verified, swapped, and never half there. */
const bundles = await BundleBuilder.open();

describe.skipIf(bundles === undefined)("a policy made of a bundle", () => {
  let cluster: Cluster;
  let shieldx: ShieldxOnHost;
  let client: Client;
  let plans: string;
  const server = new BundleServer();

  beforeAll(async () => {
    plans = await mkdtemp(join(tmpdir(), "bundle-plans-"));
    const [compiler] = await Promise.all([
      buildRegoCompiler(),
      server.listen(),
      startCluster({ name: "bundle-policies" }).then((started) => {
        cluster = started;
      }),
    ]);
    shieldx = await startShieldxOnHost(cluster, {
      args: [`--rego-compiler=${compiler}`, `--rego-plans=${plans}`],
      chartValues: { "rbac.bundleSecrets": "{bundle-server,bundle-keys}" },
    });
    [client] = await clientsOf(cluster);
    await apply(cluster, secret("bundle-server", { "ca.crt": server.certificatePem, token: bundleToken }));
    await apply(cluster, secret("bundle-keys", { "release.pem": bundles!.publicKeyPem }));
    await apply(cluster, secret("other", { key: "x" }));
  });
  afterAll(async () => {
    await client?.close();
    await shieldx?.stop();
    await cluster?.stop();
    await server[Symbol.asyncDispose]();
    await bundles?.[Symbol.asyncDispose]();
    await rm(plans, { recursive: true, force: true });
  });
  afterEach(async () => {
    server.isUp = true;
    await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
  });

  const secret = (name: string, stringData: Record<string, string>): Manifest => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "shieldx-system" },
    stringData,
  });

  /** Who may own what is in the data; the word stands in the module. */
  const files = (word: string, owner = "ann") => ({
    ".manifest": JSON.stringify({ roots: ["shop", "owners"], revision: word }),
    "owners/data.json": JSON.stringify({ names: [owner] }),
    "shop/policy.rego": `package shop

deny contains msg if {
  owner := object.get(input.request.object.metadata, ["labels", "owner"], "nobody")
  not owner in data.owners.names
  msg := sprintf("${word}: one of %v must own it", [data.owners.names])
}
`,
  });

  function bundlePolicy(name: string, bundle: Manifest = {}, rego: Manifest = {}): Manifest {
    const reference = (named: string, key: string) => ({ name: named, key });
    return regoPolicy(name, {
      entrypoint: "data.shop.deny",
      bundle: {
        url: server.url(name),
        polling: { minDelay: "1s", maxDelay: "1s" },
        caSecretRef: reference("bundle-server", "ca.crt"),
        tokenSecretRef: reference("bundle-server", "token"),
        verification: {
          keys: [{ id: "release", algorithm: "ES256", secretRef: reference("bundle-keys", "release.pem") }],
        },
        ...bundle,
      },
      ...rego,
    });
  }

  const configMap = (name: string, labels: Manifest = {}): Manifest => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default", labels },
  });

  interface Status {
    readonly status?: {
      readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
    };
  }
  const conditionOf = async (name: string, type: string) =>
    (await read<Status>(cluster, "shieldpolicy", name))?.status?.conditions?.find(
      (condition) => condition.type === type,
    );
  const untilReason = (name: string, type: string, reason: string) =>
    waitFor(
      `${type} ${reason}`,
      async () => {
        const condition = await conditionOf(name, type);
        return condition?.reason === reason ? condition : undefined;
      },
      { timeoutMs: 30_000 },
    );

  async function refusal(object: Manifest): Promise<string | undefined> {
    try {
      await client.create(ConfigMap, object as unknown as KubeObject, { dryRun: true, retries: 0 });
      return undefined;
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
  }
  const untilSaid = (word: string) =>
    waitFor(word, async () => (await refusal(configMap("bare")))?.includes(`${word}: one of`), {
      timeoutMs: 30_000,
    });

  it("is in force with its modules and data once it has been fetched and verified", async () => {
    server.bundle = await bundles!.build(files("one"));
    await enforce(cluster, bundlePolicy("shop"));
    expect((await tryCreate(cluster, configMap("bare"))).message).toContain(
      'ShieldPolicy "shop" refuses ConfigMap "default/bare": one: one of ["ann"] must own it',
    );
    expect((await tryCreate(cluster, configMap("bare", { owner: "ann" }))).allowed).toBe(true);
  });

  it("takes a new bundle without a moment in which nobody judges", async () => {
    server.bundle = await bundles!.build(files("one"));
    await enforce(cluster, bundlePolicy("shop"));
    let isOver = false;
    let [asked, open] = [0, 0];
    const asking = (async () => {
      while (!isOver) {
        asked++;
        if ((await refusal(configMap("asked"))) === undefined) open++;
      }
    })();
    try {
      for (const word of ["two", "three"]) {
        server.bundle = await bundles!.build(files(word, word));
        await untilSaid(word);
      }
    } finally {
      isOver = true;
      await asking;
    }
    console.log("requests while the bundle changed", asked);
    expect(asked).toBeGreaterThan(3);
    expect(open).toBe(0);
    expect((await tryCreate(cluster, configMap("bare", { owner: "three" }))).allowed).toBe(true);
  });

  it("keeps the last good bundle while the newest is unsigned, or does not compile, and says so", async () => {
    server.bundle = await bundles!.build(files("one"));
    await enforce(cluster, bundlePolicy("shop"));
    server.bundle = await bundles!.build(files("unsigned"), { isSigned: false });
    const degraded = await untilReason("shop", "Degraded", "BundleFailed");
    expect(degraded.message).toMatch(/the last good bundle stays in use: .*sign.*UNSIGNED/);
    expect(await refusal(configMap("bare"))).toContain("one: one of");

    const { "shop/policy.rego": module, ...rest } = files("broken");
    server.bundle = await bundles!.build({ ...rest, "shop/policy.rego": module.replace("deny", "other") });
    await waitFor("told", async () =>
      (await conditionOf("shop", "Degraded"))?.message.includes(
        'entrypoint "shop/deny" does not refer to a rule',
      ),
    );
    expect(await refusal(configMap("bare"))).toContain("one: one of");

    server.bundle = await bundles!.build(files("mended"));
    await untilSaid("mended");
    await untilCondition(cluster, ["shieldpolicy", "shop"], "Ready", "True");
  });

  it("is not in force before its bundle came, and says why", async () => {
    server.bundle = undefined;
    expect(await apply(cluster, bundlePolicy("late"))).toMatchObject({ allowed: true });
    const told = await untilReason("late", "Compiled", "BundleFailed");
    expect(told.message).toContain("answers 404: check the bundle's url");
    expect(await refusal(configMap("bare"))).toBeUndefined();
    server.bundle = await bundles!.build(files("late"));
    await untilCondition(cluster, ["shieldpolicy", "late"], "Ready", "True");
    expect(await refusal(configMap("bare"))).toContain("late: one of");
  });

  it("says which Secret it lacks the right to", async () => {
    server.bundle = await bundles!.build(files("one"));
    await apply(cluster, bundlePolicy("blind", { tokenSecretRef: { name: "other", key: "key" } }));
    const told = await untilReason("blind", "Compiled", "BundleFailed");
    expect(told.message).toContain(
      'ShieldX may not read Secret "other" in namespace "shieldx-system": list it in rbac.bundleSecrets',
    );
    expect(JSON.stringify(await read(cluster, "shieldpolicy", "blind"))).not.toContain(bundleToken);
  });

  it("is there when a replica starts and the server does not answer", async () => {
    server.bundle = await bundles!.build(files("kept"));
    await enforce(cluster, bundlePolicy("kept"));
    server.isUp = false;
    await shieldx.webhooks.at(-1)?.stop();
    const { readyMs } = await shieldx.startWebhooks();
    console.log(`webhook ready in ${Math.round(readyMs ?? 0)} ms by the bundle it kept`);
    expect(await refusal(configMap("bare"))).toContain("kept: one of");
  });

  it("runs the plan that comes with it", async () => {
    const args = ["-t", "plan", "-e", "shop/deny"];
    server.bundle = await bundles!.build(files("planned"), { args });
    await enforce(cluster, bundlePolicy("planned"));
    expect(await refusal(configMap("bare"))).toContain("planned: one of");
  });

  it("may be written in two versions of the language, each module in that which the manifest says", async () => {
    const roots = ["shop", "owners", "old"];
    const build = (file_rego_versions: Manifest) =>
      bundles!.build({
        ...files("mixed"),
        ".manifest": JSON.stringify({ roots, file_rego_versions }),
        "old/names.rego": "package old\n\nfree[name] { name := data.owners.names[_] }\n",
        "shop/policy.rego": `package shop

deny contains msg if {
  owner := object.get(input.request.object.metadata, ["labels", "owner"], "nobody")
  not owner in data.old.free
  msg := sprintf("mixed: one of %v must own it", [data.old.free])
}
`,
      });
    server.bundle = await build({ "/old/*.rego": 0 });
    await enforce(cluster, bundlePolicy("mixed"));
    expect(await refusal(configMap("bare"))).toContain('mixed: one of {"ann"} must own it');
    expect(await refusal(configMap("bare", { owner: "ann" }))).toBeUndefined();
  });
});
