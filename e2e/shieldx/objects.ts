import { type KubeObject, resourceType } from "@shieldx/controller-runtime";
import type { Cluster } from "../cluster/index.ts";
import { waitFor } from "./wait.ts";

/** For requests by a client instead of kubectl. */
export const ShieldPolicy = resourceType<KubeObject>({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldPolicy",
  plural: "shieldpolicies",
  namespaced: false,
});

export type Manifest = Readonly<Record<string, unknown>>;

/** A Pod that keeps every rule of `restricted`, with `spec` laid over it. */
export function restrictedPod(name: string, spec: Manifest = {}, namespace = "default"): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "app",
          image: "docker.io/local/pause:test",
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
      ...spec,
    },
  };
}

export function podSecurityPolicy(name: string, spec: Manifest = {}): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name },
    spec: {
      engine: "podSecurity",
      podSecurity: { level: "baseline" },
      actions: { admission: "deny" },
      ...spec,
    },
  };
}

/** A policy of engine cel that denies, with `spec` laid over it. */
export function celPolicy(name: string, spec: Manifest): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name },
    spec: { engine: "cel", actions: { admission: "deny" }, ...spec },
  };
}

/** At most five replicas for a new Deployment, enforced natively, with `spec` laid over it. */
export function replicaLimit(name: string, spec: Manifest = {}): Manifest {
  return celPolicy(name, {
    matchConstraints: {
      resourceRules: [
        { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
      ],
    },
    validations: [{ expression: "object.spec.replicas <= 5", message: "at most 5 replicas" }],
    ...spec,
  });
}

/** Refuses ConfigMaps by a module, or by all of `spec.rego`, with `spec` laid over it. */
export function regoPolicy(name: string, rego: Manifest | string, spec: Manifest = {}): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name },
    spec: {
      engine: "rego",
      rego: typeof rego === "string" ? { module: rego } : rego,
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["configmaps"],
          },
        ],
      },
      actions: { admission: "deny" },
      ...spec,
    },
  };
}

export interface Outcome {
  readonly allowed: boolean;
  /** What kubectl printed on stderr: the refusal, or warnings. */
  readonly message: string;
}

export async function apply(cluster: Cluster, object: Manifest, ...flags: string[]): Promise<Outcome> {
  const result = await cluster.kubectl(["apply", "--server-side", "--force-conflicts", ...flags, "-f", "-"], {
    input: JSON.stringify(object),
  });
  return { allowed: result.code === 0, message: result.stderr };
}

export async function tryCreate(cluster: Cluster, object: Manifest): Promise<Outcome> {
  const result = await cluster.kubectl(["create", "--dry-run=server", "-f", "-"], {
    input: JSON.stringify(object),
  });
  return { allowed: result.code === 0, message: result.stderr };
}

export async function read<T>(cluster: Cluster, ...what: string[]): Promise<T | undefined> {
  const result = await cluster.kubectl(["get", ...what, "-o", "json"]);
  return result.code === 0 ? (JSON.parse(result.stdout) as T) : undefined;
}

interface WithConditions {
  readonly metadata: { readonly generation?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
    readonly [field: string]: unknown;
  };
}

/** Waits until the condition has this status for the generation now in the cluster; returns the object. */
export async function untilCondition(
  cluster: Cluster,
  what: readonly string[],
  type: string,
  status: string,
): Promise<WithConditions> {
  return await waitFor(`${what.join(" ")}: ${type}=${status}`, async () => {
    const object = await read<WithConditions>(cluster, ...what);
    if (object?.status?.observedGeneration !== object?.metadata.generation) return undefined;
    return object?.status?.conditions?.some((c) => c.type === type && c.status === status)
      ? object
      : undefined;
  });
}

/** Applies a policy and waits until it is in force everywhere. */
export async function enforce(cluster: Cluster, policy: Manifest): Promise<WithConditions> {
  const outcome = await apply(cluster, policy);
  if (!outcome.allowed) throw new Error(`the policy was refused: ${outcome.message}`);
  const { name } = policy.metadata as { name: string };
  return await untilCondition(cluster, ["shieldpolicy", name], "Ready", "True");
}
