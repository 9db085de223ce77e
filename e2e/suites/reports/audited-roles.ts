// Roles that break policies, by the thousand: they have no controllers, no defaults, and names with hardly a rule.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Cluster, openEtcd } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { celPolicy, type Manifest, read } from "../../shieldx/objects.ts";

/** So that the operator may read them. */
export const chartValues = {
  "rbac.auditedKinds[0].apiGroup": "rbac.authorization.k8s.io",
  "rbac.auditedKinds[0].resources": "{roles}",
} as const;

const apiVersion = "rbac.authorization.k8s.io/v1";

export function role(
  name: string,
  namespace: string,
  labels: Readonly<Record<string, string>> = {},
): Manifest {
  return { apiVersion, kind: "Role", metadata: { name, namespace, labels }, rules: [] };
}

/** Demands a label of Roles, of those that exist only. */
export function labelPolicy(name: string, label: string, spec: Manifest = {}): Manifest {
  return celPolicy(name, {
    matchConstraints: {
      namespaceSelector: { matchLabels: { audited: "yes" } },
      resourceRules: [
        {
          apiGroups: ["rbac.authorization.k8s.io"],
          apiVersions: ["v1"],
          operations: ["CREATE", "UPDATE"],
          resources: ["roles"],
        },
      ],
    },
    validations: [
      {
        expression: `has(object.metadata.labels) && '${label}' in object.metadata.labels`,
        messageExpression: `object.metadata.name + ' has no label ${label}'`,
      },
    ],
    actions: { admission: "off", background: "audit" },
    ...spec,
  });
}

export async function createAll(cluster: Cluster, items: readonly Manifest[]): Promise<void> {
  await mustKubectl(
    cluster,
    ["create", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  );
}

export async function createNamespace(cluster: Cluster, name: string): Promise<void> {
  await createAll(cluster, [
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { audited: "yes" } } },
  ]);
}

/** Writes `count` Roles into etcd as the API server stored one, but for name and uid. */
export async function seedRoles(cluster: Cluster, namespace: string, count: number): Promise<void> {
  const nameOf = (at: number): string => `role-${String(at).padStart(7, "0")}`;
  await createAll(cluster, [role(nameOf(0), namespace)]);
  using etcd = await openEtcd(cluster);
  const path = (at: number): string => `/registry/roles/${namespace}/${nameOf(at)}`;
  const { kvs } = (await etcd.call("/v3/kv/range", { key: Buffer.from(path(0)).toString("base64") })) as {
    kvs?: { value: string }[];
  };
  const stored = Buffer.from(kvs?.[0]?.value ?? "", "base64").toString("latin1");
  const uid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
  if (!uid.test(stored)) throw new Error("etcd holds no Role with a uid");
  await etcd.writeAll(count - 1, (at) => {
    const value = stored.replaceAll(nameOf(0), nameOf(at + 1)).replace(uid, randomUUID());
    return [path(at + 1), Buffer.from(value, "latin1")];
  });
}

export interface FoundReport {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
  readonly scope: { readonly kind: string; readonly name: string };
  readonly summary: { readonly fail: number; readonly warn: number };
  readonly results: readonly {
    readonly policy: string;
    readonly rule: string;
    readonly result: string;
    readonly message: string;
    readonly properties?: Readonly<Record<string, string>>;
  }[];
}

export async function reportsIn(cluster: Cluster, namespace: string): Promise<readonly FoundReport[]> {
  const found = await read<{ items: FoundReport[] }>(cluster, "reports.openreports.io", "-n", namespace);
  return found?.items ?? [];
}

export interface AuditedStatus {
  readonly counts?: Readonly<
    Partial<Record<"checked" | "violating" | "violations" | "exempted" | "withoutReport", number>>
  > & {
    readonly lastScanTime?: string;
  };
  readonly worstOffenders?: readonly { readonly name: string }[];
}

export async function statusOf(cluster: Cluster, policy: string): Promise<AuditedStatus | undefined> {
  return (await read<{ status?: AuditedStatus }>(cluster, "shieldpolicy", policy))?.status;
}

/** What the audit wrote so far, as the API server's audit log has it: `patch reports/shieldx-…`. */
export async function writesOf(cluster: Cluster): Promise<string[]> {
  interface Entry {
    readonly stage: string;
    readonly verb: string;
    readonly requestURI: string;
    readonly objectRef?: { readonly resource?: string; readonly name?: string };
  }
  const isOfAudit = ({ verb, requestURI, objectRef }: Entry): boolean =>
    requestURI.includes("fieldManager=shieldx-audit") ||
    (verb === "delete" && objectRef?.resource === "reports");
  return (await readFile(cluster.auditLog ?? "", "utf8"))
    .trim()
    .split("\n")
    .filter((line) => line.includes(":shieldx-operator"))
    .map((line) => JSON.parse(line) as Entry)
    .filter((entry) => entry.stage === "ResponseComplete" && isOfAudit(entry))
    .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name}`);
}
