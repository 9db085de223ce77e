// A cluster in which policies find something, and what a person would have to see the page of it.
import { request } from "node:https";
import type { Cluster } from "../../cluster/index.ts";
import type { ShieldxProcess } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  celPolicy,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  restrictedPod,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const HOUR_MS = 3_600_000;

/** Text that would be seen to have run, if it ever became markup. */
export const hostile = (at: string): string =>
  `<img src=x onerror="window.harmed='${at}'"><script>window.harmed='${at}'</script>{{${at}}}`;

/** What an operator before this one recorded, until three hours ago: as large a number as nothing here makes. */
export function earlierRecord(nowMs: number): Manifest {
  const hour = Math.floor(nowMs / HOUR_MS);
  const counts = [700, 650, 12];
  const history = {
    firstHour: hour - 5,
    total: counts,
    policies: [{ name: "earlier-policy", counts }],
    namespaces: [],
    owners: [],
  };
  const record = {
    version: 1,
    since: (hour - 5) * HOUR_MS,
    recordedAt: (hour - 3) * HOUR_MS,
    objects: 12,
    violations: 12,
    namespaces: { total: 0, rows: [] },
    owners: { total: 0, rows: [] },
    history,
  };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "shieldx-findings", namespace: "shieldx-system" },
    data: { "findings.json": JSON.stringify(record) },
  };
}

async function must(cluster: Cluster, object: Manifest): Promise<void> {
  const outcome = await apply(cluster, object);
  if (!outcome.allowed) throw new Error(`${JSON.stringify(object.metadata)} was refused: ${outcome.message}`);
}

export const offender = (name: string, namespace: string): Manifest =>
  restrictedPod(name, { hostNetwork: true }, namespace);

const exception = (name: string, seconds: number, spec: Manifest): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "shop" },
  spec: {
    policies: ["guarded"],
    owner: "team-shop",
    reason: "the driver needs the host's network",
    expiresAt: new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
    match: { kinds: ["Pod"], names: ["excepted"] },
    ...spec,
  },
});

const guarded = {
  namespaceSelector: { matchLabels: { guarded: "yes" } },
};

/** Offenders first, whom the policies that follow would not let in. */
export async function fillCluster(cluster: Cluster): Promise<void> {
  for (const namespace of ["shop", "warehouse"]) {
    await mustKubectl(cluster, ["create", "namespace", namespace]);
    await mustKubectl(cluster, ["label", "namespace", namespace, "guarded=yes"]);
  }
  const { spec } = offender("web", "shop");
  const selector = { matchLabels: { app: "web" } };
  const template = { metadata: { labels: { app: "web" } }, spec };
  await must(cluster, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop" },
    spec: { replicas: 2, selector, template },
  });
  await must(cluster, offender("alone", "warehouse"));
  await waitFor("the Deployment's Pods", async () => {
    const pods = await mustKubectl(cluster, ["get", "pods", "-n", "shop", "-o", "name"]);
    return pods.trim().split("\n").length === 2;
  });
  await enforce(
    cluster,
    podSecurityPolicy("guarded", {
      matchConstraints: guarded,
      exceptions: { namespaces: { names: ["shop"] } },
    }),
  );
  await must(
    cluster,
    exception("for-long", 20 * 86_400, { owner: hostile("owner"), reason: hostile("reason") }),
  );
  await must(cluster, exception("for-a-moment", 3, {}));
  await must(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "NamespacedShieldPolicy",
    metadata: { name: "labelled", namespace: "warehouse" },
    spec: {
      engine: "cel",
      actions: { admission: "warn" },
      matchConstraints: {
        resourceRules: [
          { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
        ],
      },
      validations: [{ expression: "has(object.metadata.labels)", message: "label it" }],
    },
  });
  await mustKubectl(cluster, [
    ...["wait", "namespacedshieldpolicy/labelled", "-n", "warehouse"],
    ...["--for=condition=Ready", "--timeout=60s"],
  ]);
  await rollOut(cluster);
}

/** A version in force, and a newer one in shadow that has found something. */
async function rollOut(cluster: Cluster): Promise<void> {
  const rules = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  const version = (label: string, more: Manifest = {}): Manifest =>
    celPolicy("owned", {
      matchConstraints: { ...guarded, resourceRules: [rules] },
      validations: [
        {
          expression: `object.metadata.name == 'kube-root-ca.crt' || '${label}' in object.metadata.?labels.orValue({})`,
          message: hostile(label),
        },
      ],
      ...more,
    });
  await enforce(cluster, version("owner"));
  await must(cluster, version("team", { rollout: { shadow: { duration: "1h" } } }));
  type Told = {
    status?: { rollout?: { step: string; message?: string; found?: { objects: readonly unknown[] } } };
  };
  const rollout = async () => (await read<Told>(cluster, "shieldpolicy", "owned"))?.status?.rollout;
  await waitFor("the shadow kept", async () => {
    const told = await rollout();
    return told?.step === "shadow" && told.message === undefined;
  });
  const labelled = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "prices", namespace: "shop" } };
  await must(cluster, { ...labelled, metadata: { ...labelled.metadata, labels: { owner: "jane" } } });
  await waitFor("found", async () => ((await rollout())?.found?.objects.length ?? 0) > 0);
}

/** Who may see the page, and who may only read policies. */
export async function tokens(
  cluster: Cluster,
): Promise<{ readonly reader: string; readonly stranger: string }> {
  for (const name of ["page-reader", "stranger"])
    await mustKubectl(cluster, ["create", "serviceaccount", name, "-n", "default"]);
  const bind = (name: string, role: string, account: string) =>
    mustKubectl(cluster, [
      "create",
      "clusterrolebinding",
      name,
      `--clusterrole=${role}`,
      `--serviceaccount=default:${account}`,
    ]);
  await bind("page-reader", "shieldx-page-reader", "page-reader");
  await bind("stranger", "shieldx-view", "stranger");
  const token = async (name: string) =>
    (await mustKubectl(cluster, ["create", "token", name, "-n", "default"])).trim();
  return { reader: await token("page-reader"), stranger: await token("stranger") };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Base URL of an operator's metrics port. */
export function originOf(operator: ShieldxProcess): string {
  return new URL(operator.metricsUrl).origin;
}

/** Asks without a browser. The certificate is the operator's own, so that it is not verified. */
export function ask(
  url: string,
  {
    token,
    method = "GET",
    headers = {},
  }: { token?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = {
      method,
      rejectUnauthorized: false,
      agent: false,
      headers: { ...headers, ...authorization },
    };
    request(url, options, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.once("error", reject);
    })
      .once("error", reject)
      .end();
  });
}

interface Counts {
  readonly objects: number;
  readonly violations: number;
}
interface Listed<T> {
  readonly total: number;
  readonly rows: readonly T[];
}

/** What the suite looks at of the page's data. */
export interface PageAnswer {
  readonly findings?: Counts & {
    readonly namespaces: Listed<Counts & { readonly name: string }>;
    readonly owners: Listed<Counts & { readonly kind: string; readonly name: string }>;
    readonly history: {
      readonly total: readonly (number | null)[];
      readonly policies: readonly { readonly name: string }[];
    };
  };
}
