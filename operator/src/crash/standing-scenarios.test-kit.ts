import type { TestBed } from "../cluster.test-kit.ts";
import type { EndState, Scenario } from "./scenarios.test-kit.ts";
import { SCENARIO_LABEL, STANDING_NAMESPACES } from "./standing-state.test-kit.ts";

const [first, second] = STANDING_NAMESPACES;

const generator = (
  policyTypes: readonly string[],
  annotations: Readonly<Record<string, string>>,
  ...more: object[]
) => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldGenerator",
  metadata: { name: "basics" },
  spec: {
    namespaceSelector: { matchLabels: { tenant: "yes" } },
    objects: [
      {
        name: "deny",
        object: {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name: "default-deny", annotations },
          spec: { podSelector: {}, policyTypes },
        },
      },
      ...more,
    ],
  },
});
const limits = {
  name: "limits",
  object: {
    apiVersion: "v1",
    kind: "LimitRange",
    metadata: { name: "limits" },
    spec: { limits: [{ type: "Container", max: { cpu: "1" } }] },
  },
};

const label = (bed: TestBed, namespace: string, ...labels: string[]) =>
  bed.kubectl(["label", "namespace", namespace, ...labels]);

interface Conditioned {
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly status: string; readonly reason: string }[];
  };
}
const isInStep = ({ generators = [] }: EndState, generation: number): boolean => {
  const { status } = (generators[0] ?? {}) as Conditioned;
  return status?.observedGeneration === generation && status.conditions?.[0]?.reason === "InStep";
};
const standing = ({ standing: objects = [] }: EndState): string =>
  objects.map(({ kind, name }) => `${kind} ${name}`).join(", ");

export const generatorScenario: Scenario = {
  name: "objects are generated, lose a field and one of them, and go with a namespace's label",
  steps: () => [
    {
      act: async (bed) => {
        for (const namespace of STANDING_NAMESPACES) await label(bed, namespace, "tenant=yes");
        await bed.apply(generator(["Ingress", "Egress"], { "example.com/by": "platform" }, limits));
      },
      until: (state) => state.standing?.length === 4 && isInStep(state, 1),
    },
    {
      act: (bed) => bed.apply(generator(["Ingress"], {})),
      until: (state) =>
        state.standing?.length === 2 &&
        isInStep(state, 2) &&
        !JSON.stringify(state.standing).includes("Egress"),
    },
    {
      act: (bed) => label(bed, second, "tenant-"),
      until: (state) => standing(state) === `NetworkPolicy ${first}/default-deny`,
    },
  ],
};

const configMap = (name: string, namespace: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { [SCENARIO_LABEL]: name === "kept" ? "kept" : "due" } },
});
export const cleanup = {
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldCleanup",
  metadata: { name: "due" },
  spec: {
    action: "Delete",
    targets: [{ apiVersion: "v1", kind: "ConfigMap" }],
    objectSelector: { matchLabels: { [SCENARIO_LABEL]: "due" } },
    ttl: "0s",
    every: "1h",
  },
};

export const dueConfigMaps = () => [
  configMap("one", first),
  configMap("two", second),
  configMap("kept", first),
];
/** Asks for a run. */
export const requestRun = (bed: TestBed, request: string) =>
  bed.kubectl(["annotate", "--overwrite", "shieldcleanup", "due", `shieldx.io/run=${request}`]);
export const cleanupIs = (
  state: EndState,
  wanted: { readonly reason?: string; readonly request?: string },
): boolean => Object.entries(wanted).every(([field, value]) => state.cleanups?.[0]?.[field] === value);

export const cleanupScenario: Scenario = {
  name: "what is due is reported first, then deleted",
  steps: () => [
    {
      act: (bed) => bed.apply(...dueConfigMaps(), cleanup),
      until: (state) => cleanupIs(state, { reason: "FirstRunReports" }) && state.standing?.length === 3,
    },
    // A run that dies is not begun anew before its interval is over, or somebody asks.
    { act: (bed) => requestRun(bed, "1"), until: (state) => cleanupIs(state, { request: "1" }) },
    {
      act: (bed) => requestRun(bed, "2"),
      until: (state) =>
        cleanupIs(state, { reason: "CleaningUp", request: "2" }) &&
        standing(state) === `ConfigMap ${first}/kept`,
    },
  ],
};
