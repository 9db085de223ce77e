import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAMESPACE, startTestBed, type TestBed, waitFor } from "./cluster.test-kit.ts";
import { kindsConfiguration } from "./controllers/webhook-configuration/kinds.ts";
import {
  RESEND_AFTER_MS,
  RESEND_SPACING_MS,
  RESENT_ANNOTATION,
} from "./controllers/webhook-configuration/resend.ts";
import { ShieldPolicyType } from "./kinds.ts";
import { StandInReplica } from "./replica.test-kit.ts";

const FAIL = "shieldx-policies-fail";
const policy = (name: string, over: object = {}) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldPolicy",
  metadata: { name },
  spec: {
    engine: "podSecurity",
    podSecurity: { level: "baseline" },
    actions: { admission: "deny" },
    ...over,
  },
});
const pod = (verdict: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "probe-", namespace: "default", labels: { verdict } },
  spec: { containers: [{ name: "main", image: "none.invalid/none" }] },
});

describe("the webhook's configuration and certificates, with two API servers", () => {
  let bed: TestBed;
  let replica: StandInReplica;
  let startOperator: () => Promise<() => Promise<void>>;
  let stopOperator: () => Promise<void>;
  let resent: Resend[];
  const configuration = (name = FAIL) => bed.admin.find(ValidatingWebhookConfiguration, { name });
  const create = (verdict: string, server = 0) =>
    bed.kubectl(
      [
        "create",
        "--dry-run=server",
        "--validate=false",
        "-f",
        "-",
        "--server",
        bed.cluster.apiServers[server]?.url ?? "",
      ],
      pod(verdict),
    );
  const enforced = async (name: string) => {
    const found = await bed.admin.get(ShieldPolicyType, { name });
    const condition = found.status?.conditions?.find(({ type }) => type === "Enforced");
    return `${condition?.status} ${condition?.reason}`;
  };

  beforeAll(async () => {
    const group = "admissionregistration.k8s.io";
    const configurations = [{ group, resources: ["validatingwebhookconfigurations"] }];
    const audit = {
      omitStages: ["RequestReceived"],
      rules: [{ level: "Request", verbs: ["patch"], resources: configurations }, { level: "None" }],
    };
    bed = await startTestBed({ name: "operator-hook", apiServers: 2, audit });
    replica = new StandInReplica(bed.admin, NAMESPACE);
    await replica.listen();
    // As the chart renders it (kinds.integration.test.ts compares the two), without a bundle.
    const address = { kind: "url", admit: replica.url, probe: replica.probeUrl } as const;
    const rendered = kindsConfiguration({ address, namespace: NAMESPACE }, "");
    await bed.apply({
      ...rendered,
      metadata: { ...rendered.metadata, labels: { "helm.sh/chart": "shieldx" } },
    });
    startOperator = () => bed.startOperator({ address });
    stopOperator = await startOperator();
  });
  afterAll(async () => {
    await bed?.stop();
    await replica?.stop();
  });

  it("sets the CA bundle, and only that, in the configuration that the chart installs", async () => {
    const found = await waitFor("bundle set", async () => {
      const now = await configuration("shieldx-kinds");
      return now?.webhooks?.every(({ clientConfig }) => clientConfig.caBundle) ? now : undefined;
    });
    for (const { clientConfig } of found.webhooks ?? []) {
      expect(Buffer.from(clientConfig.caBundle ?? "", "base64").toString()).toMatch(
        /^-----BEGIN CERTIFICATE/,
      );
    }
    const fields = (found.metadata.managedFields ?? []) as {
      readonly manager?: string;
      readonly fieldsV1?: { readonly "f:metadata"?: object; readonly "f:webhooks"?: Record<string, object> };
    }[];
    const ours = fields.find(({ manager }) => manager === "shieldx-webhook-configuration")?.fieldsV1;
    expect(ours?.["f:metadata"]).toBeUndefined();
    const owned = JSON.stringify(ours?.["f:webhooks"]);
    expect(owned).toContain("f:caBundle");
    expect(owned).not.toMatch(/f:rules|f:url|f:failurePolicy/);
  });

  it("publishes Fail only once a replica holds the policy; Pods are admitted until then, refused after", async () => {
    await bed.apply(policy("base"));
    await waitFor("waiting shown", async () => (await enforced("base")) === "False WaitingForReplica");
    expect(await configuration()).toBeUndefined();
    expect((await create("allow")).code).toBe(0);

    replica.join();
    const joinedAt = performance.now();
    await waitFor("published", async () => (await configuration()) !== undefined);
    console.log("published after ms", performance.now() - joinedAt);
    await waitFor("refused", async () => (await create("deny")).stderr.includes("the stand-in refuses"));
    expect((await create("allow")).code).toBe(0);
    await waitFor("enforced", async () => (await enforced("base")) === "True Loaded");
    expect((await bed.admin.get(ShieldPolicyType, { name: "base" })).status).toMatchObject({
      enforcedBy: "Webhook",
      loadedBy: "1/1",
    });
  });

  const ofBoth = () => Promise.all(["shieldx-kinds", FAIL].map((name) => configuration(name)));
  const sentAgain = () =>
    waitFor("both sent again", async () => {
      const found = await ofBoth();
      const isResent = found.every((object) => {
        const { uid, generation, annotations } = object?.metadata ?? {};
        return annotations?.[RESENT_ANNOTATION] === `${uid}:${generation}`;
      });
      return isResent ? found : undefined;
    });

  it("sends each configuration a second time, and then leaves it alone", async () => {
    const settled = await sentAgain();
    await delay(3 * (RESEND_AFTER_MS + 2 * RESEND_SPACING_MS));
    const versions = (objects: typeof settled) => objects.map((object) => object?.metadata.resourceVersion);
    expect(versions(await ofBoth())).toEqual(versions(settled));
  });

  it("restores a tampered configuration", async () => {
    const before = JSON.stringify((await configuration())?.webhooks);
    const tamper = [
      [
        "patch",
        "--type=json",
        "-p",
        '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]',
      ],
      [
        "patch",
        "--type=json",
        "-p",
        '[{"op":"add","path":"/webhooks/0/matchConditions","value":[{"name":"never","expression":"false"}]}]',
      ],
      ["patch", "--type=json", "-p", '[{"op":"remove","path":"/webhooks/0"}]'],
      ["delete"],
    ];
    for (const [verb = "", ...rest] of tamper) {
      const done = await bed.kubectl([verb, "validatingwebhookconfiguration", FAIL, ...rest]);
      expect(done.code, done.stderr).toBe(0);
      const at = performance.now();
      await waitFor(
        `restored after ${verb}`,
        async () => JSON.stringify((await configuration())?.webhooks) === before,
      );
      console.log(`restored after ${verb}, ms`, performance.now() - at);
    }
    // Counted when the operator has its answer, which is after we see what it wrote.
    await waitFor("four counted", async () => {
      const metric = await bed.registry.getSingleMetricAsString("shieldx_tampering_restored_total");
      return metric.includes('kind="ValidatingWebhookConfiguration"} 4');
    });
  });

  it("rotates the CA under load on both API servers without one failed request", async () => {
    const tls = async () =>
      (
        await bed.kubectl([
          "get",
          "secret",
          "shieldx-webhooks-tls",
          "-n",
          NAMESPACE,
          "-o",
          "jsonpath={.data.tls\\.crt}",
        ])
      ).stdout;
    const bundle = async () => (await configuration())?.webhooks?.[0]?.clientConfig.caBundle ?? "";
    const phase = async () => {
      const { stdout } = await bed.kubectl([
        "get",
        "secret",
        "shieldx-webhooks-ca",
        "-n",
        NAMESPACE,
        "-o",
        "jsonpath={.data.state\\.json}",
      ]);
      return JSON.parse(Buffer.from(stdout, "base64").toString()).phase as string;
    };
    const load = new AbortController();
    const failures: string[] = [];
    let requests = 0;
    const clients = await Promise.all(bed.cluster.apiServers.map(({ url }) => bed.admin.withServer(url)));
    const loads = clients.map(async (client) => {
      while (!load.signal.aborted) {
        requests++;
        const { status } = await client
          .request("POST", "/api/v1/namespaces/default/pods?dryRun=All", { body: pod("allow"), retries: 0 })
          .catch((error: Error) => {
            failures.push(error.message);
            return { status: 0 };
          });
        if (status !== 0 && status !== 201) failures.push(String(status));
      }
    });
    const rotations = 3;
    await sentAgain();
    const resentBefore = (await resendsIn(bed)).length;
    for (let round = 1; round <= rotations; round++) {
      const [leaf, ca] = [await tls(), await bundle()];
      const at = performance.now();
      await bed.kubectl([
        "annotate",
        "--overwrite",
        "secret",
        "shieldx-webhooks-ca",
        "-n",
        NAMESPACE,
        `shieldx.io/rotate=ca:${round}`,
      ]);
      await waitFor("leaf switched", async () => (await tls()) !== leaf, 60_000);
      await waitFor(
        "old CA retired",
        async () => (await phase()) === "Stable" && (await bundle()) !== ca,
        60_000,
      );
      console.log("rotation took ms", performance.now() - at);
      expect(
        Buffer.from(await bundle(), "base64")
          .toString()
          .match(/BEGIN CERTIFICATE/g),
      ).toHaveLength(1);
    }
    load.abort();
    await Promise.all(loads);
    console.log("requests during rotations", requests, "leaves", replica.leavesServed.size);
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(50);
    expect(replica.leavesServed.size).toBeGreaterThanOrEqual(rotations + 1);
    const counted = await bed.registry.getSingleMetricAsString("shieldx_certificate_rotations_total");
    expect(counted).toContain(`certificate="ca"} ${rotations}`);
    expect(await bed.registry.getSingleMetricAsString("shieldx_certificate_days_left")).toMatch(
      /certificate="serving"} (29|30)/,
    );
    await sentAgain();
    resent = (await resendsIn(bed)).slice(resentBefore);
  });

  it("sent those that a rotation changed together a second time at times of their own", () => {
    const times = (name: string) => resent.filter((one) => one.name === name).map(({ atMs }) => atMs);
    const [kinds, fail] = [times("shieldx-kinds"), times(FAIL)];
    expect(Math.min(kinds.length, fail.length)).toBeGreaterThan(0);
    const apartMs = Math.min(...kinds.flatMap((a) => fail.map((b) => Math.abs(a - b))));
    console.log("second updates", resent.length, "at least ms apart", apartMs);
    expect(apartMs).toBeGreaterThan(200);
  });

  it("leaves a policy that no longer compiles in force where replicas hold it, also when the operator starts anew", async () => {
    const before = JSON.stringify((await configuration())?.webhooks);
    // As kinds of an earlier version may have let in what this one does not understand.
    const restoreRules = await withoutRules(bed, "shieldpolicies.shieldx.io");
    const broken = policy("base", {
      matchConstraints: { objectSelector: { matchLabels: { "no key": "x" } } },
    });
    await waitFor("kinds without rules", () =>
      bed.apply(broken).then(
        () => true,
        () => false,
      ),
    );
    await waitFor("told", async () => (await enforced("base")) === "True OlderVersion");
    const status = async () => (await bed.admin.get(ShieldPolicyType, { name: "base" })).status;
    expect(await status()).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    expect((await create("deny")).stderr).toContain("the stand-in refuses");

    await stopOperator();
    stopOperator = await startOperator();
    // Which version it is only the replica knows, and says.
    const objectSelector = { matchLabels: { is: "young" } };
    await bed.apply(
      policy("young", { actions: { admission: "deny" }, matchConstraints: { objectSelector } }),
    );
    await waitFor("a new one in force", async () => (await enforced("young")) === "True Loaded");
    await waitFor("told anew", async () => (await enforced("base")) === "True OlderVersion");
    expect(await status()).toMatchObject({ enforcedBy: "Webhook", loadedBy: "1/1" });
    await bed.kubectl(["delete", "shieldpolicy", "young"]);
    await waitFor("held alone", async () => JSON.stringify((await configuration())?.webhooks) === before);
    expect(JSON.stringify((await configuration())?.webhooks)).toBe(before);
    expect((await create("deny")).stderr).toContain("the stand-in refuses");
    await bed.kubectl([
      "patch",
      "shieldpolicy",
      "base",
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/spec/matchConstraints"}]',
    ]);
    await waitFor("in force as written", async () => (await enforced("base")) === "True Loaded");
    expect(JSON.stringify((await configuration())?.webhooks)).toBe(before);
    await restoreRules();
    const another = { ...broken, metadata: { name: "another" } };
    await waitFor("kinds with rules", async () => {
      const { code } = await bed.kubectl(["apply", "--server-side", "--dry-run=server", "-f", "-"], another);
      return code !== 0;
    });
  });

  it("keeps the Fail configuration when every replica is gone, and takes it away with the last policy", async () => {
    const before = JSON.stringify((await configuration())?.webhooks);
    await replica.stop();
    await bed.kubectl(["delete", "lease", "shieldx-webhooks-stand-in", "-n", NAMESPACE]);
    await waitFor("no replica shown", async () => (await enforced("base")) === "False NoReplica");
    expect(JSON.stringify((await configuration())?.webhooks)).toBe(before);
    expect((await create("allow")).code).not.toBe(0);
    await bed.kubectl(["delete", "shieldpolicy", "base"]);
    await waitFor("configuration removed", async () => (await configuration()) === undefined);
    await waitFor("Pods pass again", async () => (await create("allow")).code === 0);
  });

  it("had no failing reconcile in all of this", () => {
    expect(bed.failures).toEqual([]);
  });
});

/** Takes the CEL rules out of a CRD; returns what puts them back. */
async function withoutRules(bed: TestBed, name: string): Promise<() => Promise<void>> {
  const replace = async (kind: unknown) => {
    const { code, stderr } = await bed.kubectl(["replace", "-f", "-"], kind);
    if (code !== 0) throw new Error(stderr);
  };
  const { stdout } = await bed.kubectl(["get", "crd", name, "-o", "json"]);
  const strip = (key: string, value: unknown) => (key === "x-kubernetes-validations" ? undefined : value);
  await replace(JSON.parse(stdout, strip) as unknown);
  const { metadata, ...kind } = JSON.parse(stdout) as { readonly metadata: object };
  return () => replace({ ...kind, metadata: { ...metadata, resourceVersion: undefined } });
}

interface Resend {
  readonly name: string;
  /** When an API server got it. */
  readonly atMs: number;
}

/** What the audit log has of updates that only send a configuration again. */
async function resendsIn(bed: TestBed): Promise<Resend[]> {
  interface AuditEvent {
    readonly requestReceivedTimestamp: string;
    readonly objectRef: { readonly name: string };
    readonly requestObject: { readonly webhooks?: unknown };
  }
  return (await readFile(bed.cluster.auditLog ?? "", "utf8"))
    .split("\n")
    .filter((line) => line.includes(RESENT_ANNOTATION) && line.endsWith("}"))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ requestObject }) => requestObject.webhooks === undefined)
    .map(({ objectRef: { name }, requestReceivedTimestamp }) => ({
      name,
      atMs: Date.parse(requestReceivedTimestamp),
    }));
}
