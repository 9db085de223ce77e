import { Gauge, type Registry } from "prom-client";
import type { BreakGlasses } from "./break-glasses.ts";
import type { NamespacedShieldPolicyObject, ShieldExceptionObject, ShieldPolicyObject } from "./kinds.ts";
import type { ReplicaReport } from "./replicas.ts";

/** What is read from the caches at each scrape, on standbys too. */
export interface FleetSources {
  readonly hasSynced: () => boolean;
  readonly policies: () => readonly ShieldPolicyObject[];
  readonly tenantPolicies: () => readonly NamespacedShieldPolicyObject[];
  readonly exceptions: () => readonly ShieldExceptionObject[];
  readonly breakGlasses: () => Pick<BreakGlasses, "open" | "openFor">;
  readonly replicas: () => readonly ReplicaReport[];
  readonly isCurrent: (replica: ReplicaReport) => boolean;
  readonly now: () => number;
}

/** Metrics of what the cluster holds rather than of what this process does. Labels are bounded by the policies there are. */
export function registerFleetMetrics(registry: Registry, sources: FleetSources): void {
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (metric: Gauge<L>) => void,
  ): void => {
    new Gauge<L>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        if (sources.hasSynced()) fill(this);
      },
    });
  };
  gauge(
    "shieldx_policy_ready",
    "1 where a ShieldPolicy's condition Ready is True, else 0: it is not in force as written.",
    ["policy"],
    (metric) => {
      for (const { metadata, status } of sources.policies()) {
        const ready = status?.conditions?.find(({ type }) => type === "Ready");
        metric.set({ policy: metadata.name }, ready?.status === "True" ? 1 : 0);
      }
    },
  );
  gauge(
    "shieldx_policies",
    "ShieldPolicies by engine and action at admission.",
    ["engine", "admission"],
    (metric) => {
      for (const { spec } of sources.policies())
        metric.inc({ engine: spec.engine, admission: spec.actions?.admission ?? "" });
    },
  );
  gauge(
    "shieldx_rollout_percent",
    "Share of namespaces in which the version of a policy acts that goes in by stages, by its stage.",
    ["policy", "stage"],
    (metric) => {
      for (const { metadata, status } of sources.policies()) {
        const { rollout } = status ?? {};
        if (rollout !== undefined)
          metric.set({ policy: metadata.name, stage: rollout.stage }, rollout.percent);
      }
    },
  );
  gauge(
    "shieldx_tenant_policies",
    "NamespacedShieldPolicies by whether their condition Ready is True: yes or no.",
    ["ready"],
    (metric) => {
      metric.set({ ready: "yes" }, 0);
      metric.set({ ready: "no" }, 0);
      for (const { status } of sources.tenantPolicies()) {
        const ready = status?.conditions?.find(({ type }) => type === "Ready");
        metric.inc({ ready: ready?.status === "True" ? "yes" : "no" });
      }
    },
  );
  gauge(
    "shieldx_exceptions",
    "ShieldExceptions by state: active, unused (in force, but nothing has needed it for a while) or expired.",
    ["state"],
    (metric) => {
      for (const state of ["active", "unused", "expired"]) metric.set({ state }, 0);
      for (const exception of sources.exceptions()) metric.inc({ state: stateOf(exception, sources.now()) });
    },
  );
  gauge(
    "shieldx_break_glasses_open",
    "ShieldBreakGlasses that are open: their policies refuse nothing.",
    [],
    (metric) => metric.set(sources.breakGlasses().open().length),
  );
  gauge(
    "shieldx_policy_suspended",
    "1 where a ShieldPolicy refuses nothing because a ShieldBreakGlass is open, else 0.",
    ["policy"],
    (metric) => {
      for (const { metadata } of sources.policies())
        metric.set(
          { policy: metadata.name },
          sources.breakGlasses().openFor(metadata.name) === undefined ? 0 : 1,
        );
    },
  );
  gauge(
    "shieldx_policy_gap_objects",
    "Objects that a ShieldPolicy denies and that were written while it was not enforced, in the gaps that its status lists.",
    ["policy"],
    (metric) => {
      for (const { metadata, status } of sources.policies())
        metric.set(
          { policy: metadata.name },
          (status?.gaps ?? []).reduce((sum, { found = 0 }) => sum + found, 0),
        );
    },
  );
  gauge(
    "shieldx_webhook_replicas",
    "Live webhook replicas as their Leases show: all of them, and those that hold the current policy set.",
    ["holding"],
    (metric) => {
      const replicas = sources.replicas();
      metric.set({ holding: "any" }, replicas.length);
      metric.set({ holding: "current" }, replicas.filter(sources.isCurrent).length);
    },
  );
}

function stateOf({ spec, status }: ShieldExceptionObject, now: number): "active" | "unused" | "expired" {
  if (Date.parse(spec.expiresAt) <= now) return "expired";
  const isUnused = status?.conditions?.some(({ type, status: is }) => type === "Unused" && is === "True");
  return isUnused === true ? "unused" : "active";
}
