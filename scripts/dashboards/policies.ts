import { chosen, type Dashboard, graph, quantile, rate, stat, table } from "./grafana.ts";

const webhooks = 'namespace=~"$namespace", job="shieldx-webhooks"';

export const policies: Dashboard = {
  uid: "shieldx-policies",
  title: "ShieldX / Policies",
  about: "Which policies are in force, what they find in the cluster, and who tampered with them.",
  job: "shieldx-operator-metrics",
  rows: [
    {
      title: "At a glance",
      panels: [
        stat("Policies", "ShieldPolicies in the cluster.", "short", {
          expr: `max(sum by (pod) (shieldx_policies{${chosen}}))`,
        }),
        stat(
          "Not in force",
          "Policies whose condition Ready is not True.",
          "short",
          { expr: `count(min by (policy) (shieldx_policy_ready{${chosen}}) == 0) or vector(0)` },
          { bad: { warn: 1, alarm: 3 } },
        ),
        stat(
          "Violating objects",
          "Existing objects that a policy would refuse today; each policy counts for itself.",
          "short",
          { expr: `sum(max by (policy) (shieldx_audit_violations{${chosen}}))` },
          { bad: { warn: 1, alarm: 100 } },
        ),
        stat("Exceptions", "ShieldExceptions that are still running, unused ones included.", "short", {
          expr: `sum(max by (state) (shieldx_exceptions{${chosen}, state!="expired"}))`,
        }),
        stat(
          "Tampering",
          "Enforcing objects put back within a day.",
          "short",
          { expr: `sum(increase(shieldx_tampering_restored_total{${chosen}}[1d]))` },
          { bad: { warn: 1, alarm: 1 }, decimals: 0 },
        ),
        stat(
          "Replicas behind",
          "Live webhook replicas that do not hold the current policy set.",
          "short",
          {
            expr: `max(shieldx_webhook_replicas{${chosen}, holding="any"}) - max(shieldx_webhook_replicas{${chosen}, holding="current"})`,
          },
          { bad: { warn: 1, alarm: 2 } },
        ),
      ],
    },
    {
      title: "Policies",
      panels: [
        table("Ready", "1: in force as written. 0: see `kubectl describe shieldpolicy`.", "short", {
          expr: `min by (policy) (shieldx_policy_ready{${chosen}})`,
        }),
        table("Violations", "Existing objects that the policy would refuse today.", "short", {
          expr: `max by (policy) (shieldx_audit_violations{${chosen}})`,
        }),
        graph(
          "By engine and action",
          "ShieldPolicies by engine and what they do at admission.",
          "short",
          {
            expr: `max by (engine, admission) (shieldx_policies{${chosen}})`,
            legend: "{{engine}} {{admission}}",
          },
          { stacked: true },
        ),
        graph(
          "Enforced by",
          "Policies that act, by what enforces them.",
          "short",
          { expr: `max by (enforced_by) (shieldx_policies_enforced{${chosen}})`, legend: "{{enforced_by}}" },
          { stacked: true },
        ),
        graph("Exceptions", "ShieldExceptions by state.", "short", {
          expr: `max by (state) (shieldx_exceptions{${chosen}})`,
          legend: "{{state}}",
        }),
      ],
    },
    {
      title: "What they find",
      panels: [
        graph(
          "Violations over time",
          "Existing objects that a policy would refuse today.",
          "short",
          { expr: `max by (policy) (shieldx_audit_violations{${chosen}})`, legend: "{{policy}}" },
          { width: 12 },
        ),
        graph(
          "Refusals",
          "Requests refused per second, from the webhooks.",
          "ops",
          {
            expr: `sum by (policy) (rate(shieldx_admission_decisions_total{${webhooks}, decision="denied"}[${rate}]))`,
            legend: "{{policy}}",
          },
          { width: 12, stacked: true },
        ),
      ],
    },
    {
      title: "Rollouts",
      panels: [
        table(
          "Under way",
          "Versions that go in by stages: the share of namespaces in which each acts, and its stage.",
          "short",
          { expr: `max by (policy, stage) (shieldx_rollout_percent{${chosen}})` },
          { width: 8 },
        ),
        graph(
          "Judged",
          "Requests that versions in a stage were held against, per second, by what came of it and whether they acted.",
          "ops",
          {
            expr: `sum by (policy, outcome, acted) (rate(shieldx_rollout_judged_total{${webhooks}}[${rate}]))`,
            legend: "{{policy}} {{outcome}} (acted: {{acted}})",
          },
          { stacked: true },
        ),
        graph("Taken back", "Versions that were taken back within an hour, by reason.", "short", {
          expr: `sum by (reason) (increase(shieldx_rollout_rollbacks_total{${chosen}}[1h]))`,
          legend: "{{reason}}",
        }),
        graph(
          "Shadows left out",
          "Requests that no version in a stage was held against, because too many waited, per second.",
          "ops",
          {
            expr: `sum by (pod) (rate(shieldx_rollout_shadows_skipped_total{${webhooks}}[${rate}]))`,
            legend: "{{pod}}",
          },
        ),
      ],
    },
    {
      title: "Background audit",
      panels: [
        graph("Waiting", "Objects the audit still has to judge.", "short", {
          expr: `max by (pod) (shieldx_audit_pending_objects{${chosen}})`,
          legend: "{{pod}}",
        }),
        graph("Judged", "Objects judged per second.", "ops", {
          expr: `sum by (pod) (rate(shieldx_audit_judged_objects_total{${chosen}}[${rate}]))`,
          legend: "{{pod}}",
        }),
        graph(
          "Since the last pass",
          "How long ago the audit was through with everything after a change of policies.",
          "s",
          {
            expr: `time() - max(shieldx_audit_pass_end_timestamp_seconds{${chosen}})`,
            legend: "since the last pass",
          },
        ),
        graph(
          "Reports",
          "openreports.io Reports held, and offenders without one because of the cap.",
          "short",
          [
            { expr: `max(shieldx_audit_reports{${chosen}})`, legend: "held" },
            { expr: `max(shieldx_audit_reports_omitted{${chosen}})`, legend: "left out" },
          ],
        ),
      ],
    },
    {
      title: "Namespaces: tenants' policies, generation, clean-up",
      panels: [
        graph("Tenants' policies", "NamespacedShieldPolicies by whether they are in force.", "short", {
          expr: `max by (ready) (shieldx_tenant_policies{${chosen}})`,
          legend: "in force: {{ready}}",
        }),
        table("Not in step", "Objects of a ShieldGenerator that are not as it wants them.", "short", {
          expr: `max by (generator) (shieldx_generation_objects{${chosen}}) - max by (generator) (shieldx_generation_objects_in_step{${chosen}})`,
        }),
        graph(
          "Generation",
          "Writes to objects that ShieldGenerators keep; mend: somebody had changed one.",
          "ops",
          {
            expr: `sum by (operation) (rate(shieldx_generation_writes_total{${chosen}}[${rate}]))`,
            legend: "{{operation}}",
          },
        ),
        graph(
          "Clean-up",
          "Objects that are due by a ShieldCleanup, and those deleted within an hour.",
          "short",
          [
            { expr: `max by (cleanup) (shieldx_cleanup_due_objects{${chosen}})`, legend: "{{cleanup}} due" },
            {
              expr: `sum(increase(shieldx_cleanup_deleted_total{${chosen}}[1h])) or vector(0)`,
              legend: "deleted",
            },
          ],
        ),
      ],
    },
    {
      title: "Images of what exists",
      panels: [
        graph(
          "Found out",
          "Images of existing objects looked up per second, by what came of it; kept: known from before.",
          "ops",
          {
            expr: `sum by (result) (rate(shieldx_audit_image_seconds_count{${chosen}}[${rate}]))`,
            legend: "{{result}}",
          },
          { width: 12, stacked: true },
        ),
        graph(
          "Time",
          "How long finding out who signed an image took, 99th percentile by what came of it.",
          "s",
          {
            expr: quantile(0.99, "shieldx_audit_image_seconds", "result"),
            legend: "{{result}}",
          },
          { width: 12 },
        ),
      ],
    },
    {
      title: "Trust",
      panels: [
        graph(
          "Tampering put back",
          "Enforcing objects of ours that somebody changed or deleted, by kind.",
          "short",
          {
            expr: `sum by (kind) (increase(shieldx_tampering_restored_total{${chosen}}[${rate}]))`,
            legend: "{{kind}}",
          },
        ),
        graph("Certificates", "Time until a certificate of the webhooks ends.", "s", {
          expr: `min by (certificate) (shieldx_certificate_days_left{${chosen}}) * 86400`,
          legend: "{{certificate}}",
        }),
        graph("Replicas", "Live webhook replicas, and those that hold the current policy set.", "short", {
          expr: `max by (holding) (shieldx_webhook_replicas{${chosen}})`,
          legend: "{{holding}}",
        }),
      ],
    },
  ],
};
