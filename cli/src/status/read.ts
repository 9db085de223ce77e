import {
  ApiError,
  type Client,
  CustomResourceDefinition,
  Deployment,
  definedType,
  type KubeObject,
  Lease,
  type ResourceType,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { InvalidObjectError, kinds, parseShieldBreakGlass } from "@shieldx/crds";
import { ShieldBreakGlassType, ShieldPolicyType } from "../kinds.ts";
import type { LeaseSeen, ObjectSeen, Observed, PolicySeen } from "./collect.ts";

const ours = "app.kubernetes.io/part-of=shieldx";

type Loose = Record<string, unknown>;
const record = (value: unknown): Loose =>
  typeof value === "object" && value !== null ? (value as Loose) : {};
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const count = (value: unknown): number => (typeof value === "number" ? value : 0);
const items = (value: unknown): Loose[] => (Array.isArray(value) ? value.map(record) : []);

function leaseSeen(lease: KubeObject): LeaseSeen {
  const spec = record(lease.spec);
  const annotations = lease.metadata.annotations ?? {};
  return {
    name: lease.metadata.name ?? "",
    holder: text(spec.holderIdentity),
    renewedAt: Date.parse(text(spec.renewTime)) || 0,
    durationSeconds: count(spec.leaseDurationSeconds),
    annotations,
    component: lease.metadata.labels?.["app.kubernetes.io/component"],
  };
}

function readiness({ metadata: { namespace, name }, status }: KubeObject): Omit<ObjectSeen, "kind"> {
  const ready = items(record(status).conditions).find((c) => c.type === "Ready") ?? {};
  return {
    name: namespace === undefined ? name : `${namespace}/${name}`,
    ready: text(ready.status) || "Unknown",
    reason: text(ready.reason) || "NotReconciled",
    message: text(ready.message),
  };
}

function policySeen(policy: KubeObject): PolicySeen {
  const spec = record(policy.spec);
  const status = record(policy.status);
  const counts = record(status.counts);
  return {
    ...readiness(policy),
    engine: text(spec.engine),
    admission: text(record(spec.actions).admission),
    enforcedBy: text(status.enforcedBy) || "-",
    loadedBy: text(status.loadedBy) || "-",
    violating: typeof counts.violating === "number" ? counts.violating : undefined,
  };
}

/** Reads what `shieldctl status` judges. What may not be read is named in `unreadable`; connection errors are thrown. */
export async function observe(client: Client, namespace: string, now: number): Promise<Observed> {
  const unreadable: string[] = [];
  const list = async (
    type: ResourceType,
    options: { namespace?: string; labelSelector?: string } = {},
  ): Promise<readonly KubeObject[]> => {
    try {
      return (await client.list(type, options)).items;
    } catch (error) {
      // 404: the kind is not installed, which the judgement says by itself.
      if (error instanceof ApiError && error.code === 404) return [];
      if (error instanceof ApiError && error.code === 403) {
        unreadable.push(
          `may not list ${type.plural}: ask for the ClusterRole shieldx-view and read access to ${namespace}`,
        );
        return [];
      }
      throw error;
    }
  };
  const version = await client.serverVersion();
  const listedApart: readonly string[] = [ShieldPolicyType.kind, ShieldBreakGlassType.kind];
  const otherKinds = kinds.filter(({ kind }) => !listedApart.includes(kind));
  const [crds, deployments, leases, configurations, policies, breakGlasses, ...others] = await Promise.all([
    list(CustomResourceDefinition),
    list(Deployment, { namespace, labelSelector: ours }),
    list(Lease, { namespace }),
    list(ValidatingWebhookConfiguration),
    list(ShieldPolicyType),
    list(ShieldBreakGlassType),
    ...otherKinds.map((kind) => list(definedType(kind))),
  ]);
  return {
    kubernetes: version.gitVersion,
    namespace,
    crds: crds
      .filter((crd) => text(record(crd.spec).group) === "shieldx.io")
      .map((crd) => ({
        name: crd.metadata.name ?? "",
        versions: items(record(crd.spec).versions)
          .filter((v) => v.served === true)
          .map((v) => text(v.name)),
      })),
    deployments: deployments.map((d) => ({
      name: d.metadata.name ?? "",
      ready: count(record(d.status).readyReplicas),
      wanted: count(record(d.spec).replicas),
      image: text(items(record(record(record(d.spec).template).spec).containers)[0]?.image),
    })),
    leases: leases.filter((l) => (l.metadata.name ?? "").startsWith("shieldx-")).map(leaseSeen),
    caBundles: configurations
      .filter((c) => (c.metadata.name ?? "").startsWith("shieldx-"))
      .map((c) => ({
        configuration: c.metadata.name ?? "",
        caBundle: text(record(items(c.webhooks)[0]?.clientConfig).caBundle) || undefined,
      })),
    policies: policies.map(policySeen),
    others: otherKinds.flatMap(({ kind }, at) =>
      (others[at] ?? []).map((object) => ({ kind, ...readiness(object) })),
    ),
    breakGlasses: breakGlasses.flatMap((object) => {
      try {
        return [parseShieldBreakGlass(object, { unknownFields: "drop" })];
      } catch (error) {
        // What a newer version stored otherwise opens nothing here.
        if (error instanceof InvalidObjectError) return [];
        throw error;
      }
    }),
    unreadable,
    now,
  };
}
