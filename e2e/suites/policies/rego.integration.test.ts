import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError, type Client, ConfigMap, type KubeObject } from "@shieldx/controller-runtime";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Etcd, openEtcd } from "../../cluster/etcd.ts";
import { buildRegoCompiler, type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
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

/** Engine rego from outside: enforced, audited, excepted, checked offline, and never half there. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let etcd: Etcd;
let client: Client;
let plans: string;
let compiler: string;

beforeAll(async () => {
  plans = await mkdtemp(join(tmpdir(), "rego-plans-"));
  [compiler, cluster] = await Promise.all([buildRegoCompiler(), startCluster({ name: "rego-policies" })]);
  shieldx = await startShieldxOnHost(cluster, {
    args: [`--rego-compiler=${compiler}`, `--rego-plans=${plans}`],
    chartValues: { "rbac.auditedKinds[0].resources[0]": "configmaps", "rbac.auditedKinds[0].apiGroup": "" },
  });
  etcd = await openEtcd(cluster);
  [client] = await clientsOf(cluster);
});
afterAll(async () => {
  etcd?.[Symbol.dispose]();
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
  await rm(plans, { recursive: true, force: true });
});
afterEach(async () => {
  await cluster.kubectl(["delete", "shieldpolicies", "--all", "--wait=true"]);
});

const owned = (message = "label it with an owner") => `package shieldx

deny contains msg if {
  not input.request.object.metadata.labels.owner
  msg := sprintf("%s: ${message}", [input.request.object.metadata.name])
}
`;

const configMap = (name: string, labels: Manifest = {}, more: Manifest = {}): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", labels },
  ...more,
});

interface Status {
  readonly status?: {
    readonly enforcedBy?: string;
    readonly loadedBy?: string;
    readonly counts?: { readonly checked?: number; readonly violating?: number };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
}
const statusOf = async (name: string) => (await read<Status>(cluster, "shieldpolicy", name))?.status;
const conditionOf = async (name: string, type: string) =>
  (await statusOf(name))?.conditions?.find((condition) => condition.type === type);

/** Past the webhook for our own kinds, as if it had been away. */
async function store(name: string, module: string): Promise<void> {
  const key = Buffer.from(`/registry/shieldx.io/shieldpolicies/${name}`).toString("base64");
  const found = (await etcd.call("/v3/kv/range", { key })) as { kvs?: { value: string }[] };
  const object = JSON.parse(Buffer.from(found.kvs?.[0]?.value ?? "", "base64").toString());
  object.metadata.generation += 1;
  object.spec.rego.module = module;
  await etcd.call("/v3/kv/put", { key, value: Buffer.from(JSON.stringify(object)).toString("base64") });
}

/** As `tryCreate`, by a client that is there already: what the request was refused with. */
async function refusal(object: Manifest): Promise<string | undefined> {
  try {
    await client.create(ConfigMap, object as unknown as KubeObject, { dryRun: true, retries: 0 });
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

/** Asks all the while, until `act` has ended; returns what was let through. */
async function whileAsking(
  act: () => Promise<void>,
): Promise<{ readonly asked: number; readonly open: number }> {
  let isOver = false;
  let [asked, open] = [0, 0];
  const asking = (async () => {
    while (!isOver) {
      asked++;
      if ((await refusal(configMap("asked"))) === undefined) open++;
    }
  })();
  await act();
  isOver = true;
  await asking;
  return { asked, open };
}

describe("a policy of engine rego", () => {
  it("is enforced by the webhook, in the words of its messages", async () => {
    await enforce(cluster, regoPolicy("owned", owned()));
    expect(await statusOf("owned")).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    const refused = await tryCreate(cluster, configMap("bare"));
    expect(refused.message).toContain(
      'ShieldPolicy "owned" refuses ConfigMap "default/bare": bare: label it with an owner',
    );
    expect((await tryCreate(cluster, configMap("bare", { owner: "a" }))).allowed).toBe(true);
  });

  it("reads requests as Gatekeeper's templates do, in the first version of the language", async () => {
    const module = `package k8srequiredlabels

violation[{"msg": msg, "details": {"missing": missing}}] {
  provided := {label | input.review.object.metadata.labels[label]}
  missing := {"owner", "team"} - provided
  count(missing) > 0
  msg := sprintf("you must provide labels: %v", [missing])
}
`;
    const wrong = await apply(cluster, regoPolicy("labels", module));
    expect(wrong).toMatchObject({ allowed: false, message: expect.stringContaining("rego_parse_error") });
    await enforce(cluster, regoPolicy("labels", { module, version: "v0" }));
    const refused = await tryCreate(cluster, configMap("bare", { team: "a" }));
    expect(refused.message).toContain('you must provide labels: {"owner"}');
    expect((await tryCreate(cluster, configMap("bare", { owner: "a", team: "a" }))).allowed).toBe(true);
  });

  it("is refused at apply where it does not compile, with the place", async () => {
    const unsafe = await apply(
      cluster,
      regoPolicy("bad", "package shieldx\n\ndeny contains x if { x := y }\n"),
    );
    expect(unsafe.allowed).toBe(false);
    expect(unsafe.message).toContain(
      "spec.rego.module: line 3, column 22: var y is unsafe (rego_unsafe_var_error)",
    );
    const outward =
      'package shieldx\n\ndeny contains http.send({"url": "http://10.0.0.1", "method": "get"}).body\n';
    expect((await apply(cluster, regoPolicy("bad", outward))).message).toContain(
      "undefined function http.send",
    );
    const nameless = await apply(cluster, regoPolicy("bad", "package shieldx\n\nallow := true\n"));
    expect(nameless.message).toContain("has no rule named violation or deny: name the entrypoint");
  });

  it("takes a new module without a moment in which nobody judges", async () => {
    await enforce(cluster, regoPolicy("owned", owned()));
    const { asked, open } = await whileAsking(async () => {
      for (const version of ["one", "two"]) {
        await enforce(cluster, regoPolicy("owned", owned(version)));
        expect((await tryCreate(cluster, configMap("bare"))).message).toContain(`bare: ${version}`);
      }
    });
    console.log("requests while the module changed", asked);
    expect(asked).toBeGreaterThan(3);
    expect(open).toBe(0);
  });

  it("stays in force in the version before while the newest does not compile", async () => {
    await enforce(cluster, regoPolicy("owned", owned()));
    await store("owned", "package shieldx\n\ndeny contains x if { x := y }\n");
    // Before that it says Compiling.
    await waitFor("refused by the compiler", async () => {
      const { reason, message } = (await conditionOf("owned", "Compiled")) ?? {};
      return reason === "Invalid" && message?.includes("var y is unsafe") === true;
    });
    await waitFor(
      "told in the status",
      async () => (await conditionOf("owned", "Degraded"))?.status === "True",
    );
    expect(await statusOf("owned")).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    expect((await tryCreate(cluster, configMap("bare"))).message).toContain("label it with an owner");
    await store("owned", owned("mended"));
    await untilCondition(cluster, ["shieldpolicy", "owned"], "Ready", "True");
    expect((await tryCreate(cluster, configMap("bare"))).message).toContain("bare: mended");
  });

  it("leaves a request to failurePolicy where its rule gives no messages", async () => {
    const module = 'package shieldx\n\ndeny := "no" if not input.request.object.metadata.labels.owner\n';
    await enforce(cluster, regoPolicy("odd", module));
    const refused = await tryCreate(cluster, configMap("bare"));
    expect(refused.message).toContain(
      'ShieldPolicy "odd" could not be evaluated for ConfigMap "default/bare"',
    );
    expect(refused.message).toContain(
      "data.shieldx.deny is a string; it must be a set or an array of messages",
    );
    await enforce(cluster, regoPolicy("odd", module, { failurePolicy: "Ignore" }));
    expect((await tryCreate(cluster, configMap("bare"))).allowed).toBe(true);
  });

  it("ends what takes too long, and others go on", async () => {
    const module = `package shieldx

deny contains "never" if {
  some a in numbers.range(1, 1000)
  some b in numbers.range(1, 1000)
  some c in numbers.range(1, 1000)
  a + b + c == 0
}
`;
    await enforce(cluster, regoPolicy("endless", module, { failurePolicy: "Ignore" }));
    await enforce(cluster, regoPolicy("owned", owned()));
    expect((await tryCreate(cluster, configMap("good", { owner: "a" }))).allowed).toBe(true);
    expect((await tryCreate(cluster, configMap("bare"))).message).toContain("label it with an owner");
  });

  it("honours its matchConditions and exceptions", async () => {
    const policy = regoPolicy("owned", owned(), {
      matchConditions: [{ name: "not-free", expression: "object.metadata.name != 'free'" }],
      exceptions: { namespaces: { names: ["default"] } },
    });
    await enforce(cluster, policy);
    expect((await tryCreate(cluster, configMap("free"))).allowed).toBe(true);
    expect((await tryCreate(cluster, configMap("bare"))).allowed).toBe(false);
    const excepted = await apply(cluster, {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldException",
      metadata: { name: "bare", namespace: "default" },
      spec: {
        policies: ["owned"],
        owner: "team-a",
        reason: "it predates the policy",
        expiresAt: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, "Z"),
        match: { names: ["bare"] },
      },
    });
    expect(excepted.allowed).toBe(true);
    await waitFor("excepted", async () => (await tryCreate(cluster, configMap("bare"))).allowed);
    expect((await tryCreate(cluster, configMap("other"))).allowed).toBe(false);
    await cluster.kubectl(["delete", "shieldexception", "bare", "-n", "default"]);
  });

  it("never traps an object that is being deleted", async () => {
    await apply(
      cluster,
      configMap(
        "going",
        {},
        { metadata: { name: "going", namespace: "default", finalizers: ["example.com/wait"] } },
      ),
    );
    await enforce(cluster, regoPolicy("owned", owned()));
    const touched = await cluster.kubectl(["annotate", "configmap", "going", "a=b"]);
    expect(touched.stderr).toContain("label it with an owner");
    await cluster.kubectl(["delete", "configmap", "going", "--wait=false"]);
    const freed = await cluster.kubectl([
      ...["patch", "configmap", "going", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'],
    ]);
    expect(freed.code).toBe(0);
    await waitFor("gone", async () => (await read(cluster, "configmap", "going")) === undefined);
  });

  it("is held against objects that exist", async () => {
    await apply(cluster, configMap("lonely"));
    await enforce(
      cluster,
      regoPolicy("owned", owned(), { actions: { admission: "off", background: "audit" } }),
    );
    const found = async (count: number) => (await statusOf("owned"))?.counts?.violating === count;
    // Every namespace has one of its own, kube-root-ca.crt.
    const before = await waitFor("counted", async () => (await statusOf("owned"))?.counts?.violating);
    expect(before).toBeGreaterThan(0);
    await apply(cluster, configMap("lonely", { owner: "a" }));
    await waitFor("one fewer", () => found(before - 1), { timeoutMs: 60_000 });
    await cluster.kubectl(["delete", "configmap", "lonely"]);
  });
});

describe("a policy that is only served over HTTP", () => {
  const served = (name: string, module: string) =>
    regoPolicy(name, module, { actions: { admission: "off", http: "serve" }, matchConstraints: undefined });

  it("is ready without judging anything, and says where it is not served as it is written", async () => {
    const module = 'package app.authz\n\nallow if input.user == "ann"\n';
    await apply(cluster, served("authz", module));
    await untilCondition(cluster, ["shieldpolicy", "authz"], "Ready", "True");
    expect(await conditionOf("authz", "Enforced")).toMatchObject({
      reason: "ActionOff",
      message: "its rules are served over HTTP, and judge nothing",
    });
    await apply(cluster, served("second", module));
    const told = await waitFor("told", async () => {
      const condition = await conditionOf("second", "Ready");
      return condition?.reason === "NotServed" ? condition : undefined;
    });
    expect(told).toMatchObject({
      status: "False",
      message: expect.stringContaining("package app.authz is served by ShieldPolicy authz already"),
    });
    await cluster.kubectl(["delete", "shieldpolicy", "authz"]);
    await untilCondition(cluster, ["shieldpolicy", "second"], "Ready", "True");
    await apply(cluster, served("second", "package app.other\n\nallow if { input.user }}\n"));
    await waitFor("told again", async () =>
      (await conditionOf("second", "Ready"))?.message.includes("rego_parse_error"),
    );
  });
});

describe("processes that start", () => {
  it("are ready with all policies, and from plans that were kept", async () => {
    const names = Array.from({ length: 30 }, (_, at) => `p${at}`);
    const items = names.map((name) =>
      regoPolicy(
        name,
        `package shieldx.${name}\n\ndeny contains "${name} says no" if input.request.object.data.wants == "${name}"\n`,
      ),
    );
    await apply(cluster, { apiVersion: "v1", kind: "List", items });
    await waitFor("all in force", async () => {
      const list = await read<{ items: Status[] }>(cluster, "shieldpolicies");
      const ready = list?.items.filter(({ status }) =>
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
      );
      return ready?.length === names.length;
    });
    const refusesAll = async () => {
      for (const name of names)
        expect(await refusal(configMap("x", {}, { data: { wants: name } }))).toContain(`${name} says no`);
    };
    expect((await readdir(plans)).length).toBeGreaterThanOrEqual(names.length);
    for (const hasPlans of [true, false]) {
      if (!hasPlans) for (const file of await readdir(plans)) await rm(join(plans, file));
      await shieldx.webhooks.at(-1)?.stop();
      const { readyMs } = await shieldx.startWebhooks();
      console.log(
        `webhook ready in ${Math.round(readyMs ?? 0)} ms with ${names.length} policies in Rego, plans kept: ${hasPlans}`,
      );
      await refusesAll();
    }
  });

  it("an operator that starts takes away neither calls nor a word of the status", async () => {
    await enforce(cluster, regoPolicy("owned", owned()));
    const before = await statusOf("owned");
    const { asked, open } = await whileAsking(async () => {
      await shieldx.operators.at(-1)?.stop();
      for (const file of await readdir(plans)) await rm(join(plans, file));
      await shieldx.startOperator();
      // It leads and has looked at the policy once it does what is asked of it.
      await enforce(cluster, regoPolicy("second", owned("second")));
    });
    expect(asked).toBeGreaterThan(3);
    expect(open).toBe(0);
    // What was not enforced while the policy came in is looked into meanwhile.
    expect({ ...(await statusOf("owned")), gaps: undefined }).toEqual({
      ...before,
      digest: expect.any(String),
      gaps: undefined,
    });
  });
});

describe("shieldctl policy check", () => {
  const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
  let folder: string;
  const check = async (policy: Manifest, env: Record<string, string> = {}) => {
    const [policies, objects] = [join(folder, "policy.json"), join(folder, "objects.json")];
    await writeFile(policies, JSON.stringify(policy));
    await writeFile(objects, JSON.stringify(configMap("bare")));
    const args = [shieldctl, "policy", "check", "-f", objects, "--policies", policies];
    return await runCommand(process.execPath, args, { env: { ...env, PATH: process.env.PATH ?? "" } });
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rego-check-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("says offline what the webhook would", async () => {
    const { code, stdout } = await check(regoPolicy("owned", owned()), { SHIELDX_REGO_COMPILER: compiler });
    expect(code).toBe(1);
    expect(stdout).toContain("bare: label it with an owner");
  });

  it("runs the tests of a policy as the webhook does", async () => {
    const file = join(folder, "tested.json");
    const run = async (label: string) => {
      const object = configMap("a", { owner: "a" });
      const tests = [{ name: "with an owner", object, expect: { decision: label } }];
      await writeFile(file, JSON.stringify(regoPolicy("owned", owned(), { tests })));
      const args = [shieldctl, "policy", "test", file, "--rego-compiler", compiler, "-v"];
      return await runCommand(process.execPath, args, { env: { PATH: process.env.PATH ?? "" } });
    };
    expect(await run("allow")).toMatchObject({ code: 0 });
    const failed = await run("deny");
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout + failed.stderr).toContain("expected it to be denied, but it was allowed");
  });

  it("says what is wrong with a policy, and where the compiler is to be found", async () => {
    const broken = await check(regoPolicy("bad", "package a\n\ndeny contains"), {
      SHIELDX_REGO_COMPILER: compiler,
    });
    expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining("rego_parse_error") });
    const without = await check(regoPolicy("owned", owned()));
    expect(without.code).toBe(2);
    expect(without.stderr).toMatch(/cannot read .*rego-compiler\.wasm: name its file with --rego-compiler/);
  });
});
