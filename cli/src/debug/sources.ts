import type { Client } from "@shieldx/controller-runtime";
import { kinds, LABEL, MANAGED_BY } from "@shieldx/crds";
import { shieldctlVersion } from "../version.ts";
import type { Collection } from "./collection.ts";
import { checkRights } from "./rights.ts";

export interface BundleSettings {
  readonly namespaces: readonly string[];
  readonly sinceSeconds: number;
  /** Of one container's log. */
  readonly logBytes: number;
}

interface Listed {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

const ours = `${LABEL.managedBy}=${MANAGED_BY}`;

/** Cluster-scoped lists: file, path, what, which. */
const clusterLists: readonly {
  readonly file: string;
  readonly path: string;
  readonly about: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly keep?: (object: Listed) => boolean;
}[] = [
  ...kinds.map(({ group, version, kind, plural }) => ({
    file: `policies/${plural}.yaml`,
    path: `/apis/${group}/${version}/${plural}`,
    about: `objects of kind ${kind} with their status`,
  })),
  {
    file: "policies/shieldbreakglasses.yaml",
    path: "/apis/shieldx.io/v1alpha1/shieldbreakglasses",
    about: "ShieldBreakGlasses with their status",
  },
  {
    file: "admission/validatingwebhookconfigurations.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    about: "webhook configurations of ShieldX",
    keep: ({ metadata }) => metadata.name.startsWith("shieldx-"),
  },
  {
    file: "admission/mutatingwebhookconfigurations.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    about: "webhook configuration of ShieldX for mutations",
    query: { labelSelector: ours },
  },
  {
    file: "admission/validatingadmissionpolicies.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    about: "native policies of ShieldX",
    query: { labelSelector: ours },
  },
  {
    file: "admission/validatingadmissionpolicybindings.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    about: "their bindings",
    query: { labelSelector: ours },
  },
  {
    file: "admission/mutatingadmissionpolicies.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    about: "native mutations of ShieldX (Kubernetes 1.36 and later)",
    query: { labelSelector: ours },
  },
  {
    file: "admission/mutatingadmissionpolicybindings.yaml",
    path: "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    about: "their bindings",
    query: { labelSelector: ours },
  },
  {
    file: "rbac/clusterroles.yaml",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    about: "ClusterRoles of ShieldX",
    keep: ({ metadata }) => metadata.name.startsWith("shieldx-"),
  },
  {
    file: "rbac/clusterrolebindings.yaml",
    path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    about: "their bindings",
    keep: ({ metadata }) => metadata.name.startsWith("shieldx-"),
  },
];

const namespacedLists: readonly (readonly [plural: string, group: string])[] = [
  ["deployments", "/apis/apps/v1"],
  ["replicasets", "/apis/apps/v1"],
  ["daemonsets", "/apis/apps/v1"],
  ["pods", "/api/v1"],
  ["services", "/api/v1"],
  ["serviceaccounts", "/api/v1"],
  ["endpointslices", "/apis/discovery.k8s.io/v1"],
  ["events", "/apis/events.k8s.io/v1"],
  ["leases", "/apis/coordination.k8s.io/v1"],
  ["networkpolicies", "/apis/networking.k8s.io/v1"],
  ["poddisruptionbudgets", "/apis/policy/v1"],
  ["resourcequotas", "/api/v1"],
  ["roles", "/apis/rbac.authorization.k8s.io/v1"],
  ["rolebindings", "/apis/rbac.authorization.k8s.io/v1"],
];

/** Collects everything. @throws TransportError when the cluster does not answer at all */
export async function collectBundle(
  client: Client,
  collection: Collection,
  settings: BundleSettings,
): Promise<void> {
  const kubernetes = await client.serverVersion();
  collection.json("versions.json", "versions", {
    shieldctl: shieldctlVersion,
    node: process.versions.node,
    kubernetes: kubernetes.gitVersion,
    server: client.server,
  });
  await collectCrds(client, collection);
  for (const { file, path, about, query, keep } of clusterLists) {
    const items = await collection.gather(about, () => list(client, path, query));
    if (items !== undefined) collection.yaml(file, about, keep === undefined ? items : items.filter(keep));
  }
  for (const namespace of settings.namespaces)
    await collectNamespace(client, collection, settings, namespace);
  await checkRights(client, collection, settings.namespaces);
}

async function collectCrds(client: Client, collection: Collection): Promise<void> {
  const about = "CustomResourceDefinitions of ShieldX, without their schemas";
  const items = await collection.gather(about, () =>
    list(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
  );
  if (items === undefined) return;
  const crds = items
    .filter(({ metadata }) => /\.(shieldx|openreports)\.io$/.test(metadata.name))
    .map(({ metadata, spec, status }) => ({
      metadata: { name: metadata.name, labels: metadata.labels },
      versions: ((spec?.versions ?? []) as { name: string; served: boolean; storage: boolean }[]).map(
        ({ name, served, storage }) => ({ name, served, storage }),
      ),
      conditions: status?.conditions,
    }));
  collection.yaml("crds.yaml", about, crds);
}

async function collectNamespace(
  client: Client,
  collection: Collection,
  settings: BundleSettings,
  namespace: string,
): Promise<void> {
  let pods: Listed[] | undefined;
  for (const [plural, group] of namespacedLists) {
    const about = `${plural} of ${namespace}`;
    const items = await collection.gather(about, () =>
      list(client, `${group}/namespaces/${namespace}/${plural}`),
    );
    if (items === undefined) continue;
    if (plural === "pods") pods = items;
    const kept = plural === "events" ? items.filter((event) => isSince(event, settings.sinceSeconds)) : items;
    if (kept.length > 0) collection.yaml(`namespaces/${namespace}/${plural}.yaml`, about, kept);
  }
  const names = `names of Secrets of ${namespace}`;
  const secrets = await collection.gather(names, () =>
    list(client, `/api/v1/namespaces/${namespace}/secrets`, {}, onlyMetadata),
  );
  if (secrets !== undefined)
    collection.json(
      `namespaces/${namespace}/secrets.json`,
      names,
      secrets.map(({ metadata }) => metadata.name),
    );
  for (const pod of pods ?? []) await collectLogs(client, collection, settings, namespace, pod);
}

/** A kubelet's own byte limit leaves the newest lines out: so they are chosen by number, and the limit is far. */
const newest = (bytes: number) => ({ tailLines: Math.ceil(bytes / 128), limitBytes: 8 * bytes });

/** The end of a text, from the beginning of a line. */
export function lastBytes(text: string, bytes: number): string {
  const whole = Buffer.from(text, "utf8");
  if (whole.length <= bytes) return text;
  const end = whole.subarray(whole.length - bytes);
  return end.subarray(end.indexOf(0x0a) + 1).toString("utf8");
}

/** The API server then sends no data at all. */
const onlyMetadata = { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" };

async function collectLogs(
  client: Client,
  collection: Collection,
  { sinceSeconds, logBytes }: BundleSettings,
  namespace: string,
  pod: Listed,
): Promise<void> {
  const { name } = pod.metadata;
  const containers = ["initContainers", "containers"].flatMap(
    (field) => (pod.spec?.[field] ?? []) as { name: string }[],
  );
  const states = (pod.status?.containerStatuses ?? []) as { name: string; restartCount: number }[];
  for (const { name: container } of containers) {
    const hasRestarted = states.some((state) => state.name === container && state.restartCount > 0);
    for (const previous of hasRestarted ? [false, true] : [false]) {
      const about = `${previous ? "previous " : ""}log of ${name}/${container}`;
      const log = await collection.gather(about, () =>
        client.request("GET", `/api/v1/namespaces/${namespace}/pods/${name}/log`, {
          query: {
            container,
            previous,
            timestamps: false,
            ...newest(logBytes),
            ...(previous ? {} : { sinceSeconds }),
          },
          headers: { accept: "*/*" },
        }),
      );
      const file = `${container}${previous ? ".previous" : ""}.log`;
      if (log === undefined) continue;
      const text = lastBytes(log.body, logBytes);
      collection.text(`namespaces/${namespace}/logs/${name}/${file}`, about, text);
    }
  }
}

function isSince(event: Listed, sinceSeconds: number): boolean {
  const { series, eventTime, deprecatedLastTimestamp } = event as {
    series?: { lastObservedTime?: string };
    eventTime?: string | null;
    deprecatedLastTimestamp?: string | null;
  };
  const at = Date.parse(series?.lastObservedTime ?? eventTime ?? deprecatedLastTimestamp ?? "");
  return Number.isNaN(at) || at >= Date.now() - sinceSeconds * 1000;
}

/** Every object of a list, page by page. */
async function list(
  client: Client,
  path: string,
  query: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Listed[]> {
  const found: Listed[] = [];
  let next: string | undefined;
  do {
    const { body } = await client.request("GET", path, {
      query: { ...query, limit: 500, ...(next === undefined ? {} : { continue: next }) },
      headers,
    });
    const page = JSON.parse(body) as { items: Listed[] | null; metadata?: { continue?: string } };
    found.push(...(page.items ?? []));
    next = page.metadata?.continue || undefined;
  } while (next !== undefined);
  return found;
}
