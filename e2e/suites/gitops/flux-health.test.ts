// What Flux waits for is what Argo CD calls healthy: its expressions, held against the samples of Argo CD's scripts.
import { readdirSync, readFileSync } from "node:fs";
import { parseManifests } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { bindings, CelEnvironment, compile, DYN } from "../../../packages/policy-engine/src/cel/index.ts";

const deploy = new URL("../../../deploy/", import.meta.url);
const scripts = new URL("argocd/resource_customizations/shieldx.io/", deploy);
const read = (url: URL): unknown[] => parseManifests(readFileSync(url, "utf8"), url.pathname);

interface HealthExpressions {
  readonly kind: string;
  readonly inProgress?: string;
  readonly failed: string;
  readonly current: string;
}
interface Sample {
  readonly metadata: { readonly generation?: number };
  readonly status?: { readonly observedGeneration?: number };
}
const expressions = read(new URL("flux/own-policies.yaml", deploy)).flatMap(
  (object) => (object as { spec: { healthCheckExprs?: HealthExpressions[] } }).spec.healthCheckExprs ?? [],
);

/** fluxcd/pkg runtime/cel: a newer generation first, then these in this order; what has no value is not true. */
function healthOf(rules: HealthExpressions, { metadata, status }: Sample): string {
  if (status !== undefined && status.observedGeneration !== metadata.generation) return "inProgress";
  const environment = new CelEnvironment({ libraries: [], variables: [{ name: "status", type: DYN }] });
  for (const health of ["inProgress", "failed", "current"] as const) {
    const text = rules[health];
    if (text === undefined || status === undefined) continue;
    const { value } = compile(environment.parse(text), environment).evaluate(
      bindings({ status: JSON.parse(JSON.stringify(status)) }),
    );
    if (value === true) return health;
  }
  return "inProgress";
}

const meaning = { Healthy: "current", Suspended: "current", Degraded: "failed", Progressing: "inProgress" };

describe.each(expressions.map((rules) => [rules.kind, rules] as const))("%s", (kind, rules) => {
  // Argo CD and Flux see the same condition of both kinds of policies.
  const folder = new URL(`${kind === "NamespacedShieldPolicy" ? "ShieldPolicy" : kind}/`, scripts);
  const [{ tests }] = read(new URL("health_test.yaml", folder)) as [
    { tests: { inputPath: string; healthStatus: { status: keyof typeof meaning } }[] },
  ];
  it("has samples", () => {
    expect(tests.length).toBeGreaterThan(3);
    expect(readdirSync(folder)).toContain("health.lua");
  });
  it.each(tests.map(({ inputPath, healthStatus }) => [inputPath, healthStatus.status] as const))(
    "%s is %s",
    (path, status) => {
      const [sample] = read(new URL(path, folder)) as [Sample];
      expect(healthOf(rules, sample)).toBe(meaning[status]);
    },
  );
});
