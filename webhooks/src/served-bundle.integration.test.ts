// Bundles behind OPA's API: the webhook's own process and OPA's server hold the same bundle from one server on loopback, and
// answer the same, also after a delta, and after a bundle that cannot be used.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { builtOpa } from "@shieldx/policy-engine/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BundleServer, bundleToken } from "../../e2e/suites/policies/bundle-server.ts";
import { bundleOf, type Files } from "../../packages/policy-engine/src/rego/bundle/bundle.test-kit.ts";
import { builtCompiler, type Opa, startOpa } from "./decisions/api.test-kit.ts";
import { type Answer, askOpa, comparable, type Question, sorted } from "./decisions/opa.test-kit.ts";
import { send } from "./server/server.test-kit.ts";
import {
  namespace,
  startTestBed,
  type TestBed,
  type WebhookProcess,
  waitFor as waitUntil,
} from "./webhook-process.test-kit.ts";

const wasmFile = await builtCompiler();
const opaBinary = await builtOpa();

const patienceMs = 90_000;
const waitFor = <T>(what: string, probe: () => Promise<T | undefined | false>) =>
  waitUntil(what, probe, patienceMs);

/** Of two versions of the language, with data in and beside the packages. */
const files = (revision: string, more: Files = {}): Files => ({
  "/.manifest": {
    revision,
    roots: ["shop", "owners", "old", "system/health"],
    file_rego_versions: { "/old/*.rego": 0 },
  },
  "/shop/policy.rego": `package shop.orders

default allow := false
allow if input.user in data.owners.names
allow if data.old.always[input.user]
limit := data.shop.limits[input.user]
deny contains name if some name in data.old.names
undef if input.never
`,
  "/old/names.rego": 'package old\n\nnames[x] { x := data.owners.names[_] }\n\nalways = {"root": true}\n',
  "/system/health/policy.rego": "package system.health\n\nlive := true\n",
  "/shop/data.json": { limits: { ann: 3, bob: 1 }, orders: { open: ["a", "b"] } },
  "/owners/data.json": {
    names: ["ann"],
    tree: { "a/b": 1, "7": "seven", __proto__x: [[1, { deep: null }]] },
  },
  ...more,
});

const delta = (revision: string, data: readonly object[]): Files => ({
  "/.manifest": { revision, roots: ["shop", "owners", "old", "system/health"] },
  "/patch.json": { data },
});

const paths = [
  ...["", "/shop", "/shop/orders", "/shop/limits", "/shop/limits/ann", "/shop/limits/eve"],
  ...["/shop/orders/allow", "/shop/orders/limit", "/shop/orders/deny", "/shop/orders/undef"],
  ...["/shop/orders/open", "/shop/orders/open/1", "/shop/orders/open/5", "/shop/orders/open/a", "/shop/nope"],
  ...[
    "/owners",
    "/owners/names",
    "/owners/names/0",
    "/owners/names/01",
    "/owners/names/-1",
    "/owners/names/1",
  ],
  ...["/owners/tree", "/owners/tree/a%2Fb", "/owners/tree/7", "/owners/tree/__proto__x/0/1/deep"],
  ...["/owners/names/0/x", "/owners/tree/nope/more", "/owners/__proto__", "/owners/constructor"],
  ...["/old", "/old/names", "/old/names/ann", "/old/always/root", "/system/health", "/nope"],
  ...["/sys", "/owners/names/eve", "/system/health/live"],
];

function* questions(): Generator<Question> {
  const inputs = [{ user: "ann" }, { user: "bob" }, { user: "root" }, {}];
  for (const path of paths) {
    for (const input of inputs) yield { path: `/v1/data${path}`, body: JSON.stringify({ input }) };
    yield { path: `/v0/data${path}`, body: JSON.stringify({ user: "ann" }) };
  }
  for (const path of ["", "/shop", "/owners/names/0"]) yield { method: "GET", path: `/v1/data${path}` };
}

describe.skipIf(wasmFile === undefined || opaBinary === undefined)(
  "a bundle that is served",
  { timeout: 2 * patienceMs },
  () => {
    let bed: TestBed;
    let webhook: WebhookProcess;
    let opa: Opa;
    let token: string;
    let folder: string;
    const server = new BundleServer();
    const agent = new Agent({ keepAlive: true });

    const askOurs = async ({ method = "POST", path, body = "" }: Question): Promise<Answer> => {
      for (;;) {
        const headers = { authorization: `Bearer ${token}` };
        const options = { method, path, agent, headers };
        const answer = await send(webhook.ports.https, bed.ca.certificatePem, body, options);
        // One address may have some ten paths a second looked up, and decisions have half of the time.
        if (answer.status !== 429) return answer;
        await setTimeout(100);
      }
    };
    const health = () => askOurs({ method: "GET", path: "/health?bundles" });
    const resultAt = async (path: string) => JSON.parse((await askOurs({ method: "GET", path })).body).result;
    const untilRevision = (revision: string) =>
      waitFor(`revision ${revision}`, async () => {
        const ask = { method: "GET", path: "/v1/data/owners?provenance" };
        const [theirs, ours] = [await askOpa(opa.url, ask), await askOurs(ask)];
        return [theirs, ours].every(({ body }) => body.includes(`"revision":"${revision}"`));
      });

    async function expectSameAnswers(): Promise<void> {
      const wrong: unknown[] = [];
      for (const question of questions()) {
        const [theirs, ours] = [await askOpa(opa.url, question), await askOurs(question)];
        const [expected, got] = [comparable(theirs), comparable(ours)];
        if (JSON.stringify(sorted(expected)) !== JSON.stringify(sorted(got)))
          wrong.push(JSON.stringify({ question, expected, got }));
      }
      expect(wrong).toEqual([]);
    }

    const policy = (name: string, rego: object) => ({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name },
      spec: { engine: "rego", rego, actions: { admission: "off", http: "serve" } },
    });
    const bundlePolicy = (name: string, version = "v1") =>
      policy(name, {
        version,
        bundle: {
          url: server.url(),
          polling: { minDelay: "1s", maxDelay: "1s" },
          caSecretRef: { name: "bundle-server", key: "ca.crt" },
          tokenSecretRef: { name: "bundle-server", key: "token" },
        },
      });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "served-bundle-"));
      [bed] = await Promise.all([startTestBed("served-bundle"), server.listen()]);
      server.bundle = bundleOf(files("one"));
      await bed.writeSecret(await bed.newLeaf());
      const api = "rbac.authorization.k8s.io";
      const roleRef = (kind: string, name: string) => ({ apiGroup: api, kind, name });
      const account = (name: string, inside: string) => ({
        kind: "ServiceAccount",
        name,
        namespace: inside,
      });
      const everything = [{ nonResourceURLs: ["*"], verbs: ["*"] }];
      await bed.apply(
        { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "service", namespace: "default" } },
        { apiVersion: `${api}/v1`, kind: "ClusterRole", metadata: { name: "ask" }, rules: everything },
        {
          ...{ apiVersion: `${api}/v1`, kind: "ClusterRoleBinding", metadata: { name: "ask" } },
          ...{ roleRef: roleRef("ClusterRole", "ask"), subjects: [account("service", "default")] },
        },
        {
          ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "bundle-server", namespace } },
          stringData: { "ca.crt": server.certificatePem, token: bundleToken },
        },
        {
          ...{ apiVersion: `${api}/v1`, kind: "Role", metadata: { name: "bundles", namespace } },
          rules: [
            { apiGroups: [""], resources: ["secrets"], resourceNames: ["bundle-server"], verbs: ["get"] },
          ],
        },
        {
          ...{ apiVersion: `${api}/v1`, kind: "RoleBinding", metadata: { name: "bundles", namespace } },
          ...{ roleRef: roleRef("Role", "bundles"), subjects: [account("shieldx-webhooks", namespace)] },
        },
      );
      await writeFile(join(folder, "ca.pem"), server.certificatePem);
      const config = {
        services: {
          bundles: {
            url: new URL("/", server.url()).href,
            tls: { ca_cert: join(folder, "ca.pem") },
            credentials: { bearer: { token: bundleToken } },
          },
        },
        bundles: {
          shop: {
            ...{ service: "bundles", resource: "shop.tar.gz" },
            polling: { min_delay_seconds: 1, max_delay_seconds: 1 },
          },
        },
      };
      await writeFile(join(folder, "opa.yaml"), JSON.stringify(config));
      opa = await startOpa(opaBinary ?? "", {}, [`--config-file=${join(folder, "opa.yaml")}`]);
      webhook = await bed.start({ args: [`--rego-compiler=${wasmFile}`] });
      await waitFor("ready", () => webhook.isReady());
      token = (await bed.kubectl(["create", "token", "service"])).stdout.trim();
    }, 2 * patienceMs);
    afterAll(async () => {
      agent.destroy();
      await bed?.[Symbol.asyncDispose]();
      await opa?.[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it("answers as OPA does by its rules and its data, and says why until it is there", async () => {
      server.isUp = false;
      await bed.apply(bundlePolicy("shop"));
      const told = await waitFor("told", async () => {
        const { body } = await health();
        return body.includes("its bundle cannot be had so far") && body;
      });
      expect(told).toContain("ShieldPolicy shop");
      const early = await askOurs({ method: "GET", path: "/v1/data/owners" });
      expect([early.status, JSON.parse(early.body).code]).toEqual([503, "internal_error"]);
      server.isUp = true;
      await untilRevision("one");
      expect((await health()).status).toBe(200);
      await expectSameAnswers();
      expect(await resultAt("/v1/data/shop/orders/deny")).toEqual(["ann"]);
    });

    it("answers by what a delta makes of the data", async () => {
      server.bundle = bundleOf(
        delta("two", [
          { op: "upsert", path: "/owners/names/-", value: "eve" },
          { op: "replace", path: "/shop/limits/ann", value: { more: [7, 0.5] } },
          { op: "remove", path: "/owners/tree/7" },
          { op: "upsert", path: "/shop/fresh/deep", value: null },
        ]),
      );
      await untilRevision("two");
      await expectSameAnswers();
      expect(await resultAt("/v1/data/shop/orders/deny")).toEqual(["ann", "eve"]);
      expect(await resultAt("/v1/data/shop")).toMatchObject({
        fresh: { deep: null },
        orders: { allow: false, open: ["a", "b"] },
      });
    });

    it("keeps to the last good bundle while the newest does not do, and says so", async () => {
      // OPA activates no bundle whose rule stands where there are data.
      server.bundle = bundleOf(files("three", { "/shop/orders/data.json": { allow: true } }));
      const lease = () => bed.lease("one").then((found) => JSON.stringify(found?.metadata.annotations));
      await waitFor("told", async () =>
        (await lease())?.includes("rule data.shop.orders.allow conflicts with the data of the bundle"),
      );
      expect(await lease()).toContain("BundleFailed");
      expect(await resultAt("/v1/data/shop/orders/deny")).toEqual(["ann", "eve"]);
      await expectSameAnswers();
      // In the version that the manifest says it cannot be read.
      server.bundle = bundleOf(
        files("four", { "/old/names.rego": "package old\n\nnames contains 1 if true\n" }),
      );
      await waitFor("told", async () => (await lease())?.includes("rego_parse_error"));
      expect(await resultAt("/v1/data/shop/orders/deny")).toEqual(["ann", "eve"]);
      server.bundle = bundleOf(files("five"));
      await untilRevision("five");
      expect(await resultAt("/v1/data/shop/orders/deny")).toEqual(["ann"]);
      await waitFor("mended", async () => !(await lease())?.includes("BundleFailed"));
    });

    it("shares its roots with nobody, and is beside others otherwise", async () => {
      const told = "ShieldPolicy inside: data.owners.more belongs to the bundle of ShieldPolicy shop";
      await bed.apply(
        policy("inside", { module: "package owners.more\n\nx := 1\n" }),
        policy("beside", { module: "package shopping\n\nx := data.owners.names\ny := 1\n" }),
      );
      await waitFor("told", async () => (await health()).body.includes(told));
      await waitFor("beside", async () => (await resultAt("/v1/data/shopping/y")) === 1);
      // Each policy is compiled alone: it sees no data of another's bundle.
      expect(await resultAt("/v1/data/shopping")).toEqual({ y: 1 });
      expect(Object.keys(await resultAt("/v1/data")).sort()).toEqual(["old", "owners", "shop", "shopping"]);
      expect(await resultAt("/v1/data/owners")).not.toHaveProperty("more");
      await bed.kubectl(["delete", "shieldpolicy", "inside", "beside"]);
      await waitFor("gone", async () => (await health()).status === 200);
    });

    it("goes with its policy", async () => {
      await bed.kubectl(["delete", "shieldpolicy", "shop"]);
      await waitFor(
        "gone",
        async () => (await askOurs({ method: "GET", path: "/v1/data/owners" })).status === 404,
      );
      expect(webhook.output()).not.toContain(bundleToken);
    });
  },
);
