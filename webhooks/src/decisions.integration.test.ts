// Decisions over HTTP on a real control plane: a policy is applied, RBAC says who may ask, the log arrives elsewhere.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueLeaf } from "@shieldx/pki";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LogSink, startLogSink } from "./decision-log/sink.test-kit.ts";
import { builtCompiler } from "./decisions/api.test-kit.ts";
import { type Answer, send } from "./server/server.test-kit.ts";
import {
  startTestBed,
  type TestBed,
  type WebhookProcess,
  waitFor as waitUntil,
} from "./webhook-process.test-kit.ts";

const wasmFile = await builtCompiler();

/** Compiling takes half a second, and much longer on a machine that is busy with other clusters. */
const patienceMs = 150_000;
const waitFor = <T>(what: string, probe: () => Promise<T | undefined | false>) =>
  waitUntil(what, probe, patienceMs);
const untilReady = (process: WebhookProcess) => waitFor(`${process.name} ready`, () => process.isReady());

const rules = (packageName: string, allowed: string) => `package ${packageName}

default allow := false

allow if input.user == "${allowed}"

checked contains input.user
`;

const policy = (name: string, module: string) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: { engine: "rego", rego: { module }, actions: { admission: "off", http: "serve" } },
});

const api = "rbac.authorization.k8s.io";

/** Whether `subject` may send `verb` requests to paths. */
const grant = (name: string, subject: object, paths: string[], verbs: string[]) => [
  {
    apiVersion: `${api}/v1`,
    kind: "ClusterRole",
    metadata: { name },
    rules: [{ nonResourceURLs: paths, verbs }],
  },
  {
    apiVersion: `${api}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: api, kind: "ClusterRole", name },
    subjects: [subject],
  },
];

describe.skipIf(wasmFile === undefined)("decisions over HTTP", { timeout: 2 * patienceMs }, () => {
  let bed: TestBed;
  let webhook: WebhookProcess;
  let sink: LogSink;
  let folder: string;
  let token: string;
  const agent = new Agent({ keepAlive: true });

  const ask = (path: string, body: unknown, bearer?: string, more: object = {}): Promise<Answer> =>
    send(webhook.ports.https, bed.ca.certificatePem, body, {
      path,
      agent,
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
      ...more,
    });
  const allow = "/v1/data/app/authz/allow";
  const asAlice = { input: { user: "alice", password: "s3cret" } };
  const newToken = async (account: string, ...args: string[]) =>
    (await bed.kubectl(["create", "token", account, ...args])).stdout.trim();

  beforeAll(async () => {
    bed = await startTestBed("decisions");
    sink = await startLogSink();
    folder = await mkdtemp(join(tmpdir(), "decisions-"));
    await writeFile(join(folder, "ca.pem"), sink.caPem);
    await writeFile(join(folder, "token"), "log-token\n");
    await bed.writeSecret(await bed.newLeaf());
    for (const account of ["service", "stranger"])
      await bed.apply({
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name: account, namespace: "default" },
      });
    webhook = await bed.start({
      args: [
        `--rego-compiler=${wasmFile}`,
        `--decision-log-url=${sink.url}`,
        `--decision-log-ca-file=${join(folder, "ca.pem")}`,
        `--decision-log-token-file=${join(folder, "token")}`,
        "--decision-log-mask=/input/password",
        "--decision-log-interval=100ms",
        "--decision-log-longest-retry=500ms",
        "--decision-log-label=cluster=test",
      ],
    });
    await untilReady(webhook);
    token = await newToken("service");
  }, 2 * patienceMs);
  afterAll(async () => {
    agent.destroy();
    await bed?.[Symbol.asyncDispose]();
    await sink?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it("are not there while no policy asks to be served", async () => {
    expect((await ask(allow, asAlice, token)).status).toBe(404);
    expect((await ask("/health", "", undefined, { method: "GET" })).status).toBe(404);
  });

  it("are given to whom RBAC allows the path, and to nobody else", async () => {
    await bed.apply(policy("authz", rules("app.authz", "alice")));
    await waitFor(
      "served",
      async () => (await ask("/health?bundles", "", undefined, { method: "GET" })).status === 200,
    );
    const unknown = await ask(allow, asAlice);
    expect([unknown.status, JSON.parse(unknown.body).code]).toEqual([401, "unauthorized"]);
    expect(unknown.headers["www-authenticate"]).toBe("Bearer");
    expect((await ask(allow, asAlice, "made-up")).status).toBe(401);
    const refused = await ask(allow, asAlice, token);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body).message).toMatch(
      /^system:serviceaccount:default:service may not post \/v1\/data\/app\/authz\/allow: grant it/,
    );
    const account = { kind: "ServiceAccount", name: "service", namespace: "default" };
    await bed.apply(...grant("ask-authz", account, ["/v1/data/app/authz/*"], ["post"]));
    const answer = await waitFor("granted", async () => {
      const got = await ask(allow, asAlice, token, {});
      return got.status === 200 && got;
    });
    expect(JSON.parse(answer.body)).toEqual({
      decision_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      result: true,
    });
    expect(JSON.parse((await ask(allow, { input: { user: "bob" } }, token)).body).result).toBe(false);
    // Another method, another path and another account were not granted.
    expect((await ask(allow, "", token, { method: "GET" })).status).toBe(403);
    expect((await ask("/v1/data", asAlice, token)).status).toBe(403);
    expect((await ask("/v1/data/app/authz/..%2fauthz", asAlice, token)).status).toBe(200);
    expect((await ask("/v1/data/app/%61uthz/allow", asAlice, token)).status).toBe(200);
    expect((await ask(allow, asAlice, await newToken("stranger"))).status).toBe(403);
    // To compile takes the right to the rule, too.
    await bed.apply(...grant("compile", account, ["/v1/compile", "/v1/compile/*"], ["post"]));
    const compile = (query: string, below = "") =>
      ask(`/v1/compile${below}`, { ...asAlice, query, unknowns: [] }, token);
    const compiled = await waitFor("granted", async () => {
      const got = await compile("data.app.authz.allow == true");
      return got.status === 200 && got;
    });
    expect(JSON.parse(compiled.body)).toEqual({ result: { queries: [[]] } });
    const forbidden = await compile("data.app.other == true");
    expect([forbidden.status, JSON.parse(forbidden.body).message]).toEqual([
      403,
      expect.stringContaining("may not post /v1/data/app/other"),
    ]);
    expect((await compile("data.app.authz.allow", "/app/authz")).status).toBe(501);
    // A token for somebody else's service is not one for us.
    expect((await ask(allow, asAlice, await newToken("service", "--audience=other"))).status).toBe(401);
  });

  it("are logged elsewhere, masked, in the order they were made, also after an outage", async () => {
    await waitFor("the log is idle", async () => sink.events.length > 0);
    const ids: string[] = [];
    const askForId = async (): Promise<void> => {
      const { status, body } = await ask(allow, asAlice, token, {
        headers: { authorization: `Bearer ${token}`, "x-request-id": "r-1" },
      });
      expect(status).toBe(200);
      ids.push(JSON.parse(body).decision_id);
    };
    for (let at = 0; at < 20; at++) await askForId();
    sink.status = 503;
    const before = sink.requests.length;
    for (let at = 0; at < 20; at++) await askForId();
    await waitFor("two attempts", async () => sink.requests.length >= before + 2);
    sink.status = 200;
    await waitFor("all events", async () => sink.events.some((event) => event.decision_id === ids.at(-1)));
    const logged = sink.events.filter((event) => ids.includes(event.decision_id));
    expect(logged.map((event) => event.decision_id)).toEqual(ids);
    expect(logged[0]).toMatchObject({
      labels: { id: "one", cluster: "test" },
      path: "app/authz/allow",
      input: { user: "alice" },
      result: true,
      erased: ["/input/password"],
      requested_by: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      metrics: { timer_rego_query_eval_ns: expect.any(Number) },
      bundles: { authz: { revision: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      request_context: { http: { headers: { "x-request-id": ["r-1"] } } },
      custom: { user: "system:serviceaccount:default:service" },
    });
    expect(JSON.stringify(sink.events)).not.toContain("s3cret");
    expect(sink.requests.every(({ path }) => path === "/base/logs")).toBe(true);
    expect(sink.requests.every(({ authorization }) => authorization === "Bearer log-token")).toBe(true);
    expect(webhook.output()).not.toContain("s3cret");
  });

  it("go on beside a policy that compiles and cannot be served, and are not logged while it may mask them", async () => {
    const health = async () => (await ask("/health?bundles", "", undefined, { method: "GET" })).body;
    const askForId = async (): Promise<string> => {
      const { status, body } = await ask(allow, asAlice, token);
      expect(status).toBe(200);
      return JSON.parse(body).decision_id;
    };
    await bed.apply(policy("masks", "package system.log\n\nmask := 1e2000\n"));
    await waitFor("told", async () =>
      (await health()).includes("ShieldPolicy masks: a number has more than"),
    );
    const hidden = await askForId();
    await bed.kubectl(["delete", "shieldpolicy", "masks"]);
    await waitFor("gone", async () => (await health()) === "{}\n");
    const shown = await askForId();
    // Events come in order.
    await waitFor("the later one", async () => sink.events.some((event) => event.decision_id === shown));
    expect(sink.events.some((event) => event.decision_id === hidden)).toBe(false);
  });

  it("follow the policy, and keep to its last good version", async () => {
    await bed.apply(policy("authz", rules("app.authz", "bob")));
    await waitFor("bob", async () => JSON.parse((await ask(allow, asAlice, token)).body).result === false);
    await bed.apply(policy("authz", "package app.authz\n\nallow := nobody"));
    await waitFor("told", async () =>
      (await ask("/health?bundles", "", undefined, { method: "GET" })).body.includes(
        "ShieldPolicy authz: authz.rego:3:10: rego_unsafe_var_error",
      ),
    );
    expect(JSON.parse((await ask(allow, { input: { user: "bob" } }, token)).body).result).toBe(true);
    // What should be served and is not must not look like a rule without a value.
    const missing = await ask("/v1/data/app/authz/more", asAlice, token);
    expect([missing.status, JSON.parse(missing.body).code]).toEqual([503, "internal_error"]);
    expect(await webhook.isReady()).toBe(true);
    await bed.apply(policy("authz", rules("app.authz", "alice")));
    await waitFor("alice", async () => JSON.parse((await ask(allow, asAlice, token)).body).result === true);
  });

  it("refuse a package that an older policy serves", async () => {
    await bed.apply(policy("later", rules("app.authz", "mallory")));
    const told = "ShieldPolicy later: package app.authz is served by ShieldPolicy authz already";
    await waitFor("told", async () =>
      (await ask("/health?bundles", "", undefined, { method: "GET" })).body.includes(told),
    );
    expect(JSON.parse((await ask(allow, { input: { user: "mallory" } }, token)).body).result).toBe(false);
    await bed.kubectl(["delete", "shieldpolicy", "later"]);
  });

  it("know callers by their certificates where a client CA is configured", async () => {
    await writeFile(join(folder, "client-ca.pem"), bed.ca.certificatePem);
    const second = await bed.start({
      name: "two",
      args: [`--rego-compiler=${wasmFile}`, `--client-ca-file=${join(folder, "client-ca.pem")}`],
    });
    await untilReady(second);
    const lifetimeMs = 3_600_000;
    const identity = await issueLeaf({
      ...{ ca: bed.ca, commonName: "carol", dnsNames: ["carol"], ipAddresses: [] },
      ...{ usages: ["client"], now: Date.now(), lifetimeMs },
    });
    const asCarol = (path: string) =>
      send(second.ports.https, bed.ca.certificatePem, asAlice, { path, identity });
    expect((await asCarol("/v1/data")).body).toContain("carol may not post /v1/data");
    const carol = { kind: "User", apiGroup: api, name: "carol" };
    await bed.apply(...grant("ask-carol", carol, ["/v1/data/app/authz/allow"], ["post"]));
    await waitFor("granted", async () => (await asCarol(allow)).status === 200);
    expect((await asCarol("/v1/data/app/authz")).status).toBe(403);
  });

  it("leave admission alone, and go with the last policy", async () => {
    await bed.kubectl(["delete", "shieldpolicy", "authz"]);
    await waitFor("gone", async () => (await ask(allow, asAlice, token)).status === 404);
    const review = await ask("/admit/policies/fail", { not: "a review" });
    expect(review.status).toBe(400);
  });

  it("send what is left of the log when the replica ends", async () => {
    await bed.apply(policy("authz", rules("app.authz", "alice")));
    const answer = await waitFor("served", async () => {
      const got = await ask(allow, asAlice, token);
      return got.status === 200 && got;
    });
    webhook.signal("SIGTERM");
    expect(await webhook.exited).toBe(0);
    const id = JSON.parse(answer.body).decision_id;
    expect(sink.events.some((event) => event.decision_id === id)).toBe(true);
  });
});
