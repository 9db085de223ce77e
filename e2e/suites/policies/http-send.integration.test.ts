import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError, type Client, ConfigMap, type KubeObject } from "@shieldx/controller-runtime";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSignedCertificate } from "../../../packages/policy-engine/testing/cel-oracle/self-signed.ts";
import { buildRegoCompiler, type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, type Manifest, read, regoPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** Policies that call hosts by http.send, from outside: a real API server on one side, a real HTTPS server on the other. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let client: Client;
let folder: string;
let compiler: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const asked: (string | undefined)[] = [];
const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", Date.now());
const server = createServer({ cert: certificatePem, key: privateKeyPem }, (request, response) => {
  asked.push(request.url);
  answer(request, response);
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "http-send-"));
  server.listen(0, "127.0.0.1");
  [compiler, cluster] = await Promise.all([
    buildRegoCompiler(),
    startCluster({ name: "http-send" }),
    once(server, "listening"),
  ]);
  shieldx = await startShieldxOnHost(cluster, {
    args: [`--rego-compiler=${compiler}`, `--rego-plans=${folder}`],
    chartValues: { "rbac.auditedKinds[0].resources[0]": "configmaps", "rbac.auditedKinds[0].apiGroup": "" },
  });
  [client] = await clientsOf(cluster);
});
afterAll(async () => {
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
  asked.length = 0;
});

const host = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Asks who owns things; `more` are further members of the request, in Rego. */
const module = (more: string, address = `"https://${host()}/owners"`) => `package shieldx

owners := http.send({
  "method": "get",
  "url": ${address},
  "tls_ca_cert": ${JSON.stringify(certificatePem)},${more}
})

deny contains msg if {
  not input.request.object.metadata.labels.owner in owners.body.names
  msg := sprintf("owned by one of %v", [owners.body.names])
}
`;

const calling = (more = "", spec: Manifest = {}, address?: string): Manifest =>
  regoPolicy(
    "owned",
    { module: module(more, address), allowedHosts: [host()] },
    { actions: { admission: "deny", background: "off" }, ...spec },
  );
const configMap = (name: string, owner: string, annotations: Manifest = {}): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", labels: { owner }, annotations },
});
const json = (response: ServerResponse, body: unknown) =>
  void response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));

/** What creating it is refused with; empty where it is not. */
async function refusal(object: Manifest): Promise<string> {
  try {
    await client.create(ConfigMap, object as unknown as KubeObject, { dryRun: true, retries: 0 });
    return "";
  } catch (error) {
    if (error instanceof ApiError) return `${error.reason}: ${error.message}`;
    throw error;
  }
}

describe("a policy that calls a host", () => {
  it("judges by what the host answers, and goes nowhere else", async () => {
    answer = (_, response) => json(response, { names: ["ann"] });
    const address = `object.get(input.request.object.metadata, ["annotations", "from"], "https://${host()}/owners")`;
    await enforce(cluster, calling('"enable_redirect": true', {}, address));
    expect(await refusal(configMap("a", "ann"))).toBe("");
    expect(await refusal(configMap("a", "bob"))).toContain('owned by one of ["ann"]');
    answer = (_, response) => json(response, { names: ["bob"] });
    expect(await refusal(configMap("a", "bob"))).toBe("");
    expect(asked.splice(0)).toEqual(["/owners", "/owners", "/owners"]);
    for (const from of ["https://169.254.169.254/latest/", `http://${host()}/`, "https://localhost/"])
      expect(await refusal(configMap("a", "bob", { from }))).toMatch(
        /line \d+, column \d+: http\.send: unallowed host .*: list it in spec\.rego\.allowedHosts/,
      );
    expect(asked).toEqual([]);

    answer = (_, response) =>
      void response.writeHead(302, { Location: "http://169.254.169.254/latest/" }).end();
    expect(await refusal(configMap("a", "bob"))).toContain(
      "sends on to http://169.254.169.254, which spec.rego.allowedHosts does not list",
    );
    answer = (_, response) => void response.end(Buffer.alloc(2_000_000, " "));
    expect(await refusal(configMap("a", "bob"))).toContain("answers with more than 1048576 bytes");
  });

  it("is decided by failurePolicy while the host is silent, before the API server gives up", async () => {
    answer = () => undefined;
    await enforce(cluster, calling());
    // In the policy's words: had the webhook been waited for in vain, the API server would say so in its own.
    const refused = await refusal(configMap("a", "ann"));
    expect(refused).toMatch(/^ServiceUnavailable: .*ShieldPolicy "owned" .*did not answer within \d+ ms/);
    await enforce(cluster, calling("", { failurePolicy: "Ignore" }));
    expect(await refusal(configMap("a", "ann"))).toBe("");
  });

  it("goes on without an answer where it says so, and calls once for as long as it lets one be kept", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answer = () => resolve();
    await enforce(
      cluster,
      calling(
        '"timeout": "300ms", "raise_error": false, "force_cache": true, "force_cache_duration_seconds": 600',
      ),
    );
    expect(await refusal(configMap("a", "ann"))).toBe("");
    await promise;
    answer = (_, response) => json(response, { names: ["ann"] });
    for (const name of ["a", "b", "c"]) expect(await refusal(configMap(name, "ann"))).toBe("");
    expect(await refusal(configMap("a", "bob"))).toContain('owned by one of ["ann"]');
    expect(asked).toEqual(["/owners", "/owners"]);
  });

  it("is refused without a list of hosts, or with one that cannot be meant", async () => {
    const bare = await apply(cluster, regoPolicy("owned", { module: module("") }));
    expect(bare.message).toContain(
      "undefined function http.send; a policy reaches no host: list those it may call in spec.rego.allowedHosts",
    );
    const odd = await apply(cluster, regoPolicy("owned", { module: module(""), allowedHosts: ["0x7f.1"] }));
    expect(odd.message).toContain("spec.rego.allowedHosts[0]: means 127.0.0.1: write that");
  });

  it("audits what exists by the same calls", async () => {
    answer = (_, response) => json(response, { names: ["ann"] });
    for (const owner of ["ann", "bob"]) await apply(cluster, configMap(owner, owner));
    await enforce(cluster, calling("", { actions: { admission: "audit", background: "audit" } }));
    const offenders = async () => {
      const { counts, worstOffenders = [] } =
        (await read<Audited>(cluster, "shieldpolicy", "owned"))?.status ?? {};
      return counts?.lastScanTime === undefined ? undefined : worstOffenders.map(({ name }) => name);
    };
    const found = await waitFor("audited", offenders);
    expect(found).toContain("bob");
    expect(found).not.toContain("ann");
    answer = (_, response) => json(response, { names: ["ann", "bob"] });
    await apply(cluster, configMap("bob", "bob", { touched: "yes" }));
    await waitFor("bob is no offender any more", async () => !(await offenders())?.includes("bob"));
  });

  it("is not checked offline, which shieldctl says", async () => {
    const policies = join(folder, "policy.json");
    const objects = join(folder, "object.json");
    await writeFile(policies, JSON.stringify(calling()));
    await writeFile(objects, JSON.stringify(configMap("a", "bob")));
    const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
    const args = [shieldctl, "policy", "check", "-f", objects, "--policies", policies];
    const env = { SHIELDX_REGO_COMPILER: compiler, PATH: process.env.PATH ?? "" };
    const checked = await runCommand(process.execPath, args, { env });
    expect(checked.stderr).toMatch(/"owned" is not checked offline: .*calls hosts/);
    expect(asked).toEqual([]);
  });
});

interface Audited {
  readonly status?: {
    readonly counts?: { readonly lastScanTime?: string };
    readonly worstOffenders?: readonly { readonly name: string }[];
  };
}
