import { request as httpsRequest } from "node:https";
import { ConfigMap, Lease, Secret, ValidatingAdmissionPolicy } from "@shieldx/controller-runtime";
import { ANNOTATION, replicaLeaseName, TLS_SECRET } from "@shieldx/crds";
import { generateCa, type KeyPair } from "@shieldx/pki";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ShieldPolicyType } from "./names.ts";
import { review, send } from "./server/server.test-kit.ts";
import {
  launch,
  namespace,
  startTestBed,
  type TestBed,
  untilReady,
  type WebhookProcess,
  waitFor,
} from "./webhook-process.test-kit.ts";

const policy = (name: string, spec: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "podSecurity",
    podSecurity: { level: "baseline" },
    actions: { admission: "deny" },
    exceptions: { namespaces: { names: ["default"] }, maxDuration: "24h" },
    ...spec,
  },
});
const celPolicy = (expression: string, more: object = {}) =>
  policy("cel", {
    engine: "cel",
    podSecurity: undefined,
    exceptions: undefined,
    matchConstraints: {
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
      ],
    },
    validations: [{ expression: "true" }, { expression, message: "no" }],
    ...more,
  });
const pod = (name: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "a", image: "none.invalid/none" }], ...spec },
});
const exception = (name: string, hours: number, more: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "default" },
  spec: {
    policies: ["baseline"],
    owner: "team-a",
    reason: "needed until the driver is replaced",
    expiresAt: new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+/, ""),
    match: { names: ["excepted"] },
    ...more,
  },
});

describe("a webhook replica on a real control plane", () => {
  let bed: TestBed;
  let webhook: WebhookProcess;
  let leaf: KeyPair;

  const create = (object: object) => bed.kubectl(["create", "--dry-run=server", "-f", "-"], object);
  const refusal = async (object: object) => {
    const { code, stderr } = await create(object);
    return code === 0 ? "" : stderr;
  };
  const report = async (name = "one") => (await bed.lease(name))?.metadata.annotations ?? {};

  beforeAll(async () => {
    bed = await startTestBed("webhooks");
    webhook = await bed.start();
    await waitFor("alive", async () => (await fetch(`http://127.0.0.1:${webhook.ports.health}/healthz`)).ok);
  }, 180_000);
  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  it("is alive but not ready, and has no Lease, before it has a certificate", async () => {
    await bed.apply(policy("baseline"));
    await waitFor("caches filled", async () => webhook.output().includes("new policy set in force"));
    expect(await webhook.isReady()).toBe(false);
    expect(await bed.lease("one")).toBeUndefined();
  });

  it("becomes ready with the Secret, and reports what it has loaded", async () => {
    leaf = await bed.newLeaf();
    await bed.writeSecret(leaf);
    await untilReady(webhook);
    const lease = await bed.lease("one");
    expect(lease?.metadata.labels).toMatchObject({ "app.kubernetes.io/component": "webhooks" });
    expect(lease?.metadata.annotations?.[ANNOTATION.servingLeaf]).toBe(leaf.fingerprint);
    expect(lease?.metadata.annotations?.[ANNOTATION.candidateLeaf]).toBeUndefined();
    expect(lease?.metadata.annotations?.[ANNOTATION.policySetDigest]).toMatch(/^[0-9a-f]{64}$|^sha256/);
    expect(lease?.spec).toMatchObject({ holderIdentity: "one", leaseDurationSeconds: 30 });
    await bed.register(webhook, bed.ca.certificatePem);
  });

  it("refuses a bad Pod with a reason and lets a good one pass, through the API server", async () => {
    const message = await waitFor("the webhook is asked", async () => {
      const text = await refusal(pod("bad", { hostNetwork: true }));
      return text.includes("ShieldPolicy") && text;
    });
    expect(message).toMatch(
      /ShieldPolicy "baseline" \(baseline:latest\) refuses Pod "default\/bad": hostNamespaces \(hostNetwork=true\)/,
    );
    expect(await refusal(pod("good"))).toBe("");
  });

  it("has a change of policy in force soon, and reported", async () => {
    const took: number[] = [];
    for (const level of ["privileged", "baseline", "privileged", "baseline"]) {
      const before = (await report())[ANNOTATION.policySetDigest];
      await bed.admin.patch(
        ShieldPolicyType,
        { name: "baseline" },
        { spec: { podSecurity: { level } } },
        { type: "merge" },
      );
      const changedAt = performance.now();
      await waitFor("in force", async () => {
        const { body } = await send(
          webhook.ports.https,
          bed.ca.certificatePem,
          review({ name: "bad" }, pod("bad", { hostNetwork: true })),
          { path: "/admit/policies/fail?timeout=5s" },
        );
        return JSON.parse(body).response.allowed === (level === "privileged");
      });
      took.push(performance.now() - changedAt);
      await waitFor("reported", async () => (await report())[ANNOTATION.policySetDigest] !== before);
    }
    console.info(`policy change in force after ${took.map(Math.round).join(", ")} ms`);
    expect(Math.max(...took)).toBeLessThan(10_000);
  });

  it("honours a namespace that was made a moment ago", async () => {
    await bed.apply(
      policy("labelled", { matchConstraints: { namespaceSelector: { matchLabels: { strict: "yes" } } } }),
    );
    await waitFor("loaded", async () => webhook.output().includes('"inForce":2'));
    const name = "just-made";
    await bed.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { strict: "yes" } } });
    const body = review({ name: "bad", namespace: name }, pod("bad", { hostNetwork: true }));
    const path = "/admit/policies/fail?timeout=5s";
    const answer = await send(webhook.ports.https, bed.ca.certificatePem, body, { path });
    expect(JSON.parse(answer.body).response.status.message).toMatch(/ShieldPolicy "labelled"/);
    const unknown = await send(
      webhook.ports.https,
      bed.ca.certificatePem,
      review({ name: "bad", namespace: "never-made" }, pod("bad")),
      { path },
    );
    expect(JSON.parse(unknown.body).response.status).toMatchObject({ code: 503 });
    await bed.kubectl(["delete", "shieldpolicy", "labelled"]);
  });

  it("tells the owner of a refused Pod", async () => {
    await bed.apply({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "owner", namespace: "default" },
      spec: {
        selector: { matchLabels: { app: "owner" } },
        replicas: 0,
        template: {
          metadata: { labels: { app: "owner" } },
          spec: { containers: [{ name: "a", image: "none.invalid/none" }] },
        },
      },
    });
    const { stdout: uid } = await bed.kubectl([
      "get",
      "replicaset",
      "owner",
      "-o",
      "jsonpath={.metadata.uid}",
    ]);
    const owned = pod("owned", { hostPID: true });
    const ownerReferences = [
      { apiVersion: "apps/v1", kind: "ReplicaSet", name: "owner", uid, controller: true },
    ];
    const refused = await bed.kubectl(["create", "-f", "-"], {
      ...owned,
      metadata: { ...owned.metadata, ownerReferences },
    });
    expect(refused.code).not.toBe(0);
    const note = await waitFor("the Event", async () => {
      const found = await bed.kubectl([
        "get",
        "events",
        "--field-selector",
        "involvedObject.name=owner,reason=PolicyViolation",
        "-o",
        "jsonpath={.items[*].message}",
      ]);
      return found.stdout !== "" && found.stdout;
    });
    expect(note).toMatch(/ShieldPolicy "baseline" .*hostNamespaces/);
  });

  it("refuses a broken CEL expression at apply, with field, position and reason", async () => {
    await waitFor("kinds are checked", async () =>
      (await refusal(celPolicy("object.data."))).includes("kinds.shieldx.io"),
    );
    const message = await refusal(celPolicy("object.data."));
    expect(message).toMatch(/spec\.validations\[1\]\.expression: line 1, column \d+: Syntax error/);
    expect(
      await refusal(celPolicy("true", { matchConditions: [{ name: "a", expression: "reqest.name == ''" }] })),
    ).toMatch(/spec\.matchConditions\[0\]\.expression: line 1, column 1: undeclared reference to 'reqest'/);
    expect(await refusal(celPolicy("true", { variables: [{ name: "v", expression: "1 +" }] }))).toMatch(
      /spec\.variables\[0\]\.expression: line 1, column \d+/,
    );
    expect(await refusal(celPolicy("object.data.size() < 3"))).toBe("");
    expect(
      (await bed.admin.list(ValidatingAdmissionPolicy)).items.filter(({ metadata }) =>
        metadata.name.includes("dry-run"),
      ),
    ).toEqual([]);
  });

  it("refuses an exception that no policy would honour, and says what to change", async () => {
    expect(await refusal(exception("fine", 12))).toBe("");
    expect(await refusal(exception("over", -1))).toMatch(/spec\.expiresAt: .* has passed/);
    expect(await refusal(exception("long", 48))).toMatch(
      /spec\.expiresAt: it lasts longer than the 24 h that policy "baseline" allows/,
    );
    await bed.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere" } });
    expect(
      await refusal({ ...exception("there", 12), metadata: { name: "there", namespace: "elsewhere" } }),
    ).toMatch(/spec\.policies\[0\]: policy "baseline" honours no exceptions from namespace "elsewhere"/);
    const unknown = await create(exception("unknown", 12, { policies: ["no-such"] }));
    expect(unknown.code).toBe(0);
    expect(unknown.stderr).toMatch(/there is no ShieldPolicy "no-such" in force/);
  });

  it("lets an exception through, and ends it when it is removed", async () => {
    const excepted = pod("excepted", { hostNetwork: true });
    await bed.apply(exception("real", 12));
    await waitFor("excepted", async () => (await refusal(excepted)) === "");
    await bed.kubectl(["delete", "shieldexception", "real"]);
    await waitFor("refused again", async () => (await refusal(excepted)).includes('ShieldPolicy "baseline"'));
  });

  it("never stands in the way of status, metadata and deletion", async () => {
    await bed.apply(exception("kept", 12));
    await bed.kubectl([
      "patch",
      "shieldpolicy",
      "baseline",
      "--type=merge",
      "-p",
      '{"spec":{"exceptions":{"maxDuration":"1h"}}}',
    ]);
    await waitFor("shorter maxDuration loaded", async () =>
      (await refusal(exception("x", 2))).includes("1 h"),
    );
    const labelled = await bed.kubectl(["label", "shieldexception", "kept", "seen=yes"]);
    expect(labelled).toMatchObject({ code: 0 });
    const prolonged = await bed.kubectl([
      "patch",
      "shieldexception",
      "kept",
      "--type=merge",
      "-p",
      '{"spec":{"owner":"team-b"}}',
    ]);
    expect(prolonged.stderr).toMatch(/lasts longer than the 1 h/);
    expect(await bed.kubectl(["delete", "shieldexception", "kept"])).toMatchObject({ code: 0 });
  });

  it("names the leaf an API server met on the probe port, candidate first", async () => {
    const probed = async () => {
      const labels = { "shieldx.io/handshake-probe": "shieldx-probe" };
      const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "probe", namespace, labels } };
      const error = await bed.admin.create(ConfigMap, object, { dryRun: true }).catch((e: Error) => e);
      return error instanceof Error ? error.message : "created";
    };
    await waitFor("the serving leaf", async () => (await probed()).includes(leaf.fingerprint));
    const nextCa = await generateCa({ commonName: "next", now: Date.now(), lifetimeMs: 86_400_000 });
    const candidate = await bed.newLeaf(nextCa);
    await bed.writeSecret(leaf, candidate);
    await waitFor(
      "candidate reported",
      async () => (await report())[ANNOTATION.candidateLeaf] === candidate.fingerprint,
    );
    expect((await report())[ANNOTATION.servingLeaf]).toBe(leaf.fingerprint);
    expect(await probed()).toMatch(/certificate|x509/);
    await bed.register(webhook, bed.ca.certificatePem + nextCa.certificatePem);
    await waitFor("the candidate", async () => (await probed()).includes(candidate.fingerprint));
    expect(await refusal(pod("good"))).toBe("");

    await bed.writeSecret(candidate);
    await waitFor("switched", async () => (await report())[ANNOTATION.servingLeaf] === candidate.fingerprint);
    expect((await report())[ANNOTATION.candidateLeaf]).toBeUndefined();
    expect(await refusal(pod("good"))).toBe("");
    expect(await refusal(pod("bad", { hostNetwork: true }))).toMatch(/ShieldPolicy "baseline"/);
    leaf = await bed.newLeaf();
    await bed.writeSecret(leaf);
    await waitFor("back", async () => (await report())[ANNOTATION.servingLeaf] === leaf.fingerprint);
  });

  it("keeps the last good leaf when the Secret is broken or gone", async () => {
    await bed.admin.patch(
      Secret,
      { name: TLS_SECRET, namespace },
      { data: { "tls.key": "bm8ga2V5" } },
      { type: "merge" },
    );
    await waitFor("noticed", async () => webhook.output().includes("is unusable"));
    expect(await webhook.isReady()).toBe(true);
    expect(await refusal(pod("good"))).toBe("");
    await bed.admin.delete(Secret, { name: TLS_SECRET, namespace });
    await waitFor("noticed", async () => webhook.output().includes("was deleted"));
    expect(await refusal(pod("bad", { hostNetwork: true }))).toMatch(/ShieldPolicy "baseline"/);
    const next = await bed.newLeaf();
    await bed.writeSecret(next);
    await waitFor("reloaded", async () => (await report())[ANNOTATION.servingLeaf] === next.fingerprint);
  });

  it("writes its Lease anew when somebody deletes it", async () => {
    await bed.admin.delete(Lease, { name: replicaLeaseName("one"), namespace });
    await waitFor("a new Lease", async () => (await bed.lease("one")) !== undefined);
  });

  it("gives metrics to those who may read them, with bounded labels", async () => {
    const bearer = async (account: string) =>
      (await bed.kubectl(["create", "token", account, "-n", "default"])).stdout.trim();
    expect((await scrape(webhook.ports.metrics)).status).toBe(401);
    expect((await scrape(webhook.ports.metrics, "nonsense")).status).toBe(401);
    expect((await scrape(webhook.ports.metrics, await bearer("default"))).status).toBe(403);
    await bed.kubectl(["create", "clusterrole", "scraper", "--verb=get", "--non-resource-url=/metrics"]);
    await bed.kubectl(["create", "serviceaccount", "scraper"]);
    await bed.kubectl([
      "create",
      "clusterrolebinding",
      "scraper",
      "--clusterrole=scraper",
      "--serviceaccount=default:scraper",
    ]);
    const token = await bearer("scraper");
    const { body } = await waitFor("allowed", async () => {
      const answer = await scrape(webhook.ports.metrics, token);
      return answer.status === 200 && answer;
    });
    expect(body).toMatch(
      /shieldx_admission_decisions_total\{policy="baseline",action="deny",decision="denied"\} [1-9]/,
    );
    expect(body).toMatch(
      /controller_runtime_webhook_requests_total\{webhook="\/admit\/policies\/fail",code="200"\} \d+/,
    );
    expect(body).toMatch(/controller_runtime_webhook_latency_seconds_bucket/);
    expect(body).toMatch(
      /shieldx_webhook_handshakes_total\{port="https",remote="127\.0\.0\.1",leaf="[0-9a-f]{16}"\} \d+/,
    );
    expect(body).not.toMatch(/policy="labelled"/);
  });

  it("never prints a key or token", () => {
    expect(webhook.output()).not.toMatch(/PRIVATE KEY|eyJhbGciOi/);
    expect(webhook.output()).not.toMatch(/TypeError|ReferenceError/);
  });

  it("goes on serving after SIGTERM for the shutdown delay, then removes its Lease and ends with 0", async () => {
    const second = await bed.start({ name: "two", delay: "3s" });
    await untilReady(second);
    await waitFor("its Lease", async () => (await bed.lease("two")) !== undefined);
    let failures = 0;
    let served = 0;
    let isOver = false;
    const ask = async (): Promise<void> => {
      while (!isOver) {
        const { status, headers } = await send(
          second.ports.https,
          bed.ca.certificatePem,
          review({}, pod("good")),
          { path: "/admit/policies/fail" },
        );
        if (status !== 200) failures++;
        else if (headers.connection === "close") served++;
      }
    };
    const asking = ask();
    second.signal("SIGTERM");
    await waitFor("not ready", async () => !(await second.isReady()));
    const before = served;
    await waitFor("still serving", async () => served > before + 5);
    expect(await bed.lease("two")).toBeDefined();
    isOver = true;
    await asking;
    expect(failures).toBe(0);
    expect(await second.exited).toBe(0);
    expect(await bed.lease("two")).toBeUndefined();
  });

  it("ends with 1 and one clear line when it is set up wrongly", async () => {
    const ports = { https: 0, probe: 0, metrics: 0, health: 0 };
    const ending = async (args: string[]) => {
      const started = launch("wrong", ports, [
        "--health-bind-address=0",
        "--metrics-bind-address=0",
        ...args,
      ]);
      return { code: await started.exited, output: started.output() };
    };
    const missing = await ending(["--kubeconfig=/nowhere/config"]);
    expect(missing).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^shieldx webhooks: .*\/nowhere\/config.*\n$/),
    });
    const flag = await ending(["--bind-address=nowhere"]);
    expect(flag).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^shieldx webhooks: --bind-address "nowhere": must be/),
    });
    const kubeconfig = await bed.cluster.serviceAccountKubeconfig(namespace, "shieldx-webhooks");
    const busy = await ending([
      `--kubeconfig=${kubeconfig}`,
      "--replica-name=busy",
      `--bind-address=127.0.0.1:${webhook.ports.https}`,
    ]);
    expect(busy.code).toBe(1);
    expect(busy.output).toMatch(/shieldx webhooks: listen EADDRINUSE/);
    expect(await bed.lease("busy")).toBeUndefined();
  });
});

function scrape(port: number, token?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const request = httpsRequest(
      { host: "127.0.0.1", port, path: "/metrics", headers, rejectUnauthorized: false },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString("utf8");
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on("error", reject);
    request.end();
  });
}
