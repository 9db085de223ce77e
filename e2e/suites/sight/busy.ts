// A busy cluster: policies of every kind at work, refusals, exceptions, tampering, bad requests. What the processes say
// meanwhile, in metrics, logs, traces and Events, is what the suite looks at.
import { generateKeyPairSync } from "node:crypto";
import { connect } from "node:tls";
import type { Client } from "@shieldx/controller-runtime";
import type { Cluster } from "../../cluster/index.ts";
import { type AdmissionLoad, startAdmissionLoad } from "../../shieldx/admission-load.ts";
import type { ShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  celPolicy,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

export const hostNetwork = (name: string, namespace = "default"): Manifest =>
  restrictedPod(name, { hostNetwork: true }, namespace);

const deployment = (name: string, spec: unknown): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec },
  },
});

const cronJob = (name: string, spec: Readonly<Record<string, unknown>>): Manifest => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name, namespace: "default" },
  spec: {
    schedule: "0 0 1 1 *",
    jobTemplate: { spec: { suspend: true, template: { spec: { restartPolicy: "Never", ...spec } } } },
  },
});

async function must(cluster: Cluster, object: Manifest): Promise<void> {
  const outcome = await apply(cluster, object);
  if (!outcome.allowed) throw new Error(`${JSON.stringify(object.metadata)} was refused: ${outcome.message}`);
}

/** Workloads first, which the policies that follow would not let in; then policies, offenders and tampering. */
export async function makeBusy(
  cluster: Cluster,
  client: Client,
  shieldx: ShieldxOnHost,
): Promise<AdmissionLoad> {
  const bad = hostNetwork("bad").spec as Readonly<Record<string, unknown>>;
  await must(cluster, deployment("web", bad));
  await must(cluster, cronJob("nightly", bad));
  await mustKubectl(cluster, ["create", "job", "nightly-now", "--from=cronjob/nightly"]);
  await waitFor("the Deployment's ReplicaSet", async () =>
    (await mustKubectl(cluster, ["get", "replicasets", "-l", "app=web", "-o", "name"])).includes("web"),
  );
  await must(cluster, hostNetwork("offender"));
  await enforce(
    cluster,
    podSecurityPolicy("baseline", {
      failurePolicy: "Fail",
      exceptions: { namespaces: { names: ["default"] } },
    }),
  );
  await enforce(
    cluster,
    podSecurityPolicy("restricted", {
      podSecurity: { level: "restricted" },
      failurePolicy: "Ignore",
      actions: { admission: "warn" },
    }),
  );
  await must(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldGenerator",
    metadata: { name: "limits" },
    spec: {
      namespaceSelector: {},
      objects: [
        {
          name: "limits",
          object: { apiVersion: "v1", kind: "LimitRange", metadata: { name: "x" }, spec: { limits: [] } },
        },
      ],
    },
  });
  await must(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldCleanup",
    metadata: { name: "pods" },
    spec: { targets: [{ apiVersion: "v1", kind: "Pod" }], ttl: "720h" },
  });
  const validations = [{ expression: "object.spec.replicas <= 100", message: "at most 100 replicas" }];
  await enforce(cluster, replicaLimit("replica-limit", { validations }));
  await must(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name: "for-a-test", namespace: "default" },
    spec: {
      policies: ["baseline"],
      match: { kinds: ["Pod"], names: ["excepted"] },
      owner: "sight@example.org",
      reason: "a Pod that the suite needs",
      expiresAt: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, "Z"),
    },
  });
  await waitFor("excepted", async () => (await apply(cluster, hostNetwork("excepted"))).allowed);
  // The controllers' Pods are refused from now on, and their owners told.
  await mustKubectl(cluster, ["scale", "deployment", "web", "--replicas=2"]);
  const resumed = '--patch={"spec":{"suspend":false}}';
  await mustKubectl(cluster, ["patch", "job", "nightly-now", "--type=merge", resumed]);
  await rollOut(cluster);
  await askRegistry(cluster);
  await tamper(cluster);
  await disturb(shieldx);
  return startAdmissionLoad({
    clients: [client],
    perSecond: 20,
    good: restrictedPod("good"),
    bad: hostNetwork("bad"),
    refusal: 'ShieldPolicy "baseline"',
  });
}

const inNewVersions = {
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "new-versions" } },
};

/** A version that has only begun, and a request that it judges. */
async function rollOut(cluster: Cluster): Promise<void> {
  await mustKubectl(cluster, ["create", "namespace", "new-versions"]);
  const rules = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  await must(
    cluster,
    celPolicy("new-version", {
      matchConstraints: { ...inNewVersions, resourceRules: [rules] },
      validations: [{ expression: "has(object.metadata.labels)", message: "needs labels" }],
      rollout: { shadow: { duration: "1h" } },
    }),
  );
  await waitFor("the first step kept", async () => {
    type Told = { status?: { rollout?: { message?: string } } };
    const rollout = (await read<Told>(cluster, "shieldpolicy", "new-version"))?.status?.rollout;
    return rollout !== undefined && rollout.message === undefined;
  });
  await mustKubectl(cluster, ["create", "configmap", "judged", "-n", "new-versions"]);
}

/** An image of a registry that does not answer, asked about for a request and for what exists. */
async function askRegistry(cluster: Cluster): Promise<void> {
  const host = "127.0.0.1:1";
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = publicKey.export({ type: "spki", format: "pem" }).toString();
  await enforce(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "signed" },
    spec: {
      engine: "images",
      matchConstraints: inNewVersions,
      failurePolicy: "Ignore",
      verifyImages: {
        rules: [{ name: "ours", images: [`${host}/**`], keys: [key] }],
        registries: [{ host, plainHTTP: true }],
      },
      actions: { admission: "warn", background: "audit" },
    },
  });
  const template = restrictedPod("unknown", {}, "new-versions");
  const [container] = (template.spec as { containers: readonly object[] }).containers;
  const spec = { ...(template.spec as object), containers: [{ ...container, image: `${host}/shop/web:1` }] };
  await must(cluster, { ...template, spec });
}

interface WithUid {
  readonly metadata: { readonly uid: string; readonly generation?: number };
}

async function tamper(cluster: Cluster): Promise<void> {
  const binding = ["validatingadmissionpolicybinding", "shieldx-replica-limit"] as const;
  const before = await waitFor("the binding", () => read<WithUid>(cluster, ...binding));
  await mustKubectl(cluster, ["delete", ...binding]);
  await waitFor("the binding is put back", async () => {
    const now = await read<WithUid>(cluster, ...binding);
    return now !== undefined && now.metadata.uid !== before.metadata.uid;
  });
}

/** A client that does not trust the certificate. */
async function disturb({ webhookUrl }: ShieldxOnHost): Promise<void> {
  const { hostname, port } = new URL(webhookUrl);
  await new Promise<void>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), servername: "" });
    socket.once("error", () => resolve());
    socket.once("close", () => resolve());
  });
}
