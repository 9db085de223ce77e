/** The objects of the runtime's benchmark: custom resources of about 2 kB as they are served, of the shape Pods have. */
import { createHash } from "node:crypto";
import type { KubeObject } from "@shieldx/controller-runtime";

export const group = "bench.shieldx.io";

export interface Widget extends KubeObject {
  spec: Record<string, unknown>;
  status: Record<string, unknown>;
}

/** Widgets are what is cached, Gadgets the same kind without an object. */
export function definition(kind: string): KubeObject & { spec: unknown } {
  const plural = `${kind.toLowerCase()}s`;
  const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec: anything, status: anything } } },
        },
      ],
    },
  };
}

export function namespaceOf(at: number): string {
  return `bench-${at % 10}`;
}

/** Hex digits that differ for each object and purpose, and are the same in each run. */
function digits(at: number, purpose: string, count: number): string {
  return createHash("sha256").update(`${purpose} ${at}`).digest("hex").slice(0, count);
}

export function uidOf(at: number): string {
  const hex = digits(at, "uid", 32);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join("-");
}

/** The `at`-th of all widgets. What differs between real objects of a kind differs here. */
export function widget(at: number): Widget {
  const application = `team-${at % 40}-service-${at % 400}`;
  const replicaSet = `${application}-${digits(at % 400, "template", 9)}`;
  const time = (hours: number): string =>
    new Date(Date.UTC(2026, 0, 1, at % 5000, at % 60, hours)).toISOString().replace(".000", "");
  return {
    apiVersion: `${group}/v1`,
    kind: "Widget",
    metadata: {
      name: `${replicaSet}-${digits(at, "name", 8)}`,
      namespace: namespaceOf(at),
      labels: {
        "app.kubernetes.io/name": application,
        "app.kubernetes.io/part-of": `team-${at % 40}`,
        "pod-template-hash": digits(at % 400, "template", 9),
      },
      annotations: { "bench.shieldx.io/checksum": digits(at, "checksum", 40) },
    },
    spec: {
      containers: [
        {
          name: "server",
          image: `registry.example.com/team-${at % 40}/${application}:v1.${at % 400}.0`,
          env: [
            { name: "LOG_LEVEL", value: "info" },
            { name: "INSTANCE", value: digits(at, "instance", 12) },
          ],
          ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
          imagePullPolicy: "IfNotPresent",
        },
      ],
      // Not in metadata.ownerReferences: the garbage collector would miss the owners.
      controller: { apiVersion: "apps/v1", kind: "ReplicaSet", name: replicaSet, uid: uidOf(at % 400) },
      nodeName: `node-${at % 100}.example.internal`,
      serviceAccountName: application,
    },
    status: {
      phase: "Running",
      podIP: `10.${at % 250}.${(at >> 8) % 250}.${at % 199}`,
      startTime: time(1),
      conditions: [
        { type: "Initialized", status: "True", lastTransitionTime: time(2) },
        { type: "Ready", status: "True", lastTransitionTime: time(9) },
      ],
    },
  };
}
