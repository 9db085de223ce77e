import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { BreakGlasses } from "./break-glasses.ts";
import { registerFleetMetrics } from "./fleet-metrics.ts";
import type { ShieldExceptionObject } from "./kinds.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const exception = (expiresAt: string, unused?: "True" | "False" | "Unknown"): ShieldExceptionObject =>
  ({
    spec: { expiresAt },
    status: unused === undefined ? {} : { conditions: [{ type: "Unused", status: unused }] },
  }) as unknown as ShieldExceptionObject;

it("counts each exception once, by whether it runs and whether anything needs it", async () => {
  const registry = new Registry();
  const later = "2026-02-01T00:00:00Z";
  registerFleetMetrics(registry, {
    hasSynced: () => true,
    policies: () => [],
    tenantPolicies: () => [],
    exceptions: () => [
      exception(later),
      exception(later, "Unknown"),
      exception(later, "False"),
      exception(later, "True"),
      exception("2025-12-31T00:00:00Z", "True"),
    ],
    breakGlasses: () =>
      new BreakGlasses(
        () => [],
        () => 0,
      ),
    replicas: () => [],
    isCurrent: () => true,
    now: () => now,
  });
  const text = await registry.getSingleMetricAsString("shieldx_exceptions");
  const states = [...text.matchAll(/state="(\w+)"\} (\d+)/g)].map(([, state, count]) => `${state} ${count}`);
  expect(states).toEqual(["active 3", "unused 1", "expired 1"]);
});
