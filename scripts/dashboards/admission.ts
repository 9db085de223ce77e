import { chosen, type Dashboard, graph, heatmap, quantile, rate, stat, table } from "./grafana.ts";

const latency = "controller_runtime_webhook_latency_seconds";
const requests = "controller_runtime_webhook_requests_total";
const decisions = "shieldx_admission_decisions_total";

export const admission: Dashboard = {
  uid: "shieldx-admission",
  title: "ShieldX / Admission",
  about:
    "What API servers ask the webhooks, what they answer, how fast, and with which policies and certificates.",
  job: "shieldx-webhooks",
  rows: [
    {
      title: "At a glance",
      panels: [
        stat(
          "Reviews",
          "Admission requests per second.",
          "reqps",
          { expr: `sum(rate(${requests}{${chosen}}[${rate}]))` },
          { decimals: 1 },
        ),
        stat(
          "Refused",
          "Verdicts of policies that refuse, per second.",
          "reqps",
          { expr: `sum(rate(${decisions}{${chosen}, decision="denied"}[${rate}]))` },
          { decimals: 1 },
        ),
        stat(
          "Failing",
          "Share of requests that got an error instead of a verdict; failurePolicy decides about those.",
          "percentunit",
          {
            expr: `(sum(rate(${requests}{${chosen}, code=~"5.."}[${rate}])) or vector(0)) / sum(rate(${requests}{${chosen}}[${rate}]))`,
          },
          { bad: { warn: 0.001, alarm: 0.01 } },
        ),
        stat(
          "Latency p99",
          "Time to answer, 99th percentile.",
          "s",
          { expr: quantile(0.99, latency, "") },
          { bad: { warn: 0.1, alarm: 1 } },
        ),
        stat(
          "Replicas up",
          "Webhook replicas that Prometheus can scrape.",
          "short",
          { expr: `sum(up{${chosen}})` },
          { good: 2 },
        ),
        stat("Certificate ends", "When the first of the leaves in use ends.", "dateTimeFromNow", {
          expr: `min(shieldx_webhook_certificate_not_after_seconds{${chosen}}) * 1000`,
        }),
      ],
    },
    {
      title: "Requests",
      panels: [
        graph(
          "By path",
          "Requests per second by the path they came in at.",
          "reqps",
          { expr: `sum by (webhook) (rate(${requests}{${chosen}}[${rate}]))`, legend: "{{webhook}}" },
          { stacked: true },
        ),
        graph(
          "By status",
          "Requests per second by HTTP status; a refusal is a 200 that says no.",
          "reqps",
          { expr: `sum by (code) (rate(${requests}{${chosen}}[${rate}]))`, legend: "{{code}}" },
          { stacked: true },
        ),
        graph("By replica", "Requests per second by replica.", "reqps", {
          expr: `sum by (pod) (rate(${requests}{${chosen}}[${rate}]))`,
          legend: "{{pod}}",
        }),
        graph("Latency", "Time to answer.", "s", [
          { expr: quantile(0.5, latency, ""), legend: "p50" },
          { expr: quantile(0.9, latency, ""), legend: "p90" },
          { expr: quantile(0.99, latency, ""), legend: "p99" },
        ]),
        graph("Evaluation", "Time all policies take for a request, 99th percentile by failurePolicy.", "s", {
          expr: quantile(0.99, "shieldx_admission_evaluation_seconds", "failure_policy"),
          legend: "{{failure_policy}}",
        }),
        graph("In flight", "Requests being answered.", "short", {
          expr: `sum by (pod) (controller_runtime_webhook_requests_in_flight{${chosen}})`,
          legend: "{{pod}}",
        }),
        heatmap(
          "Latency over time",
          "How many requests took how long.",
          "s",
          { expr: `sum by (le) (increase(${latency}_bucket{${chosen}}[${rate}]))`, legend: "{{le}}" },
          { width: 16 },
        ),
        graph("Panics", "Requests whose handler threw, per second.", "ops", {
          expr: `sum by (webhook) (rate(controller_runtime_webhook_panics_total{${chosen}}[${rate}]))`,
          legend: "{{webhook}}",
        }),
      ],
    },
    {
      title: "Verdicts",
      panels: [
        graph(
          "By verdict",
          "Policies held against requests, per second, by what came of it.",
          "ops",
          { expr: `sum by (decision) (rate(${decisions}{${chosen}}[${rate}]))`, legend: "{{decision}}" },
          { stacked: true },
        ),
        graph(
          "Refusals by policy",
          "Refusals per second.",
          "ops",
          {
            expr: `sum by (policy) (rate(${decisions}{${chosen}, decision="denied"}[${rate}]))`,
            legend: "{{policy}}",
          },
          { stacked: true },
        ),
        graph("By policy", "Requests that a policy matched, per second.", "ops", {
          expr: `sum by (policy, action) (rate(${decisions}{${chosen}}[${rate}]))`,
          legend: "{{policy}} ({{action}})",
        }),
      ],
    },
    {
      title: "Signed images",
      panels: [
        stat(
          "Not found out",
          "Share of questions about images to which no registry answered in time; failurePolicy decides about those.",
          "percentunit",
          {
            expr: `(sum(rate(shieldx_admission_image_seconds_count{${chosen}, result="unknown"}[${rate}])) or vector(0)) / sum(rate(shieldx_admission_image_seconds_count{${chosen}}[${rate}]))`,
          },
          { bad: { warn: 0.01, alarm: 0.1 } },
        ),
        graph(
          "Images",
          "Images asked about per second, by what came of it; kept: known from before.",
          "ops",
          {
            expr: `sum by (result) (rate(shieldx_admission_image_seconds_count{${chosen}}[${rate}]))`,
            legend: "{{result}}",
          },
          { width: 10, stacked: true },
        ),
        graph(
          "Time",
          "How long finding out who signed an image took, 99th percentile by what came of it.",
          "s",
          {
            expr: quantile(0.99, "shieldx_admission_image_seconds", "result"),
            legend: "{{result}}",
          },
          { width: 10 },
        ),
      ],
    },
    {
      title: "Policy set",
      panels: [
        table(
          "Sets in force",
          "Digest of the set that each replica holds: one row for all of them when they agree.",
          "short",
          { expr: `count by (digest) (shieldx_policy_set_info{${chosen}})` },
          { width: 8 },
        ),
        graph("Policies", "Policies in force in a replica, and what could not be compiled.", "short", [
          { expr: `shieldx_policy_set_policies{${chosen}}`, legend: "{{pod}} policies" },
          { expr: `shieldx_policy_set_problems{${chosen}}`, legend: "{{pod}} problems" },
        ]),
        graph("Age", "How long a replica's set has been in force.", "s", {
          expr: `time() - shieldx_policy_set_loaded_timestamp_seconds{${chosen}}`,
          legend: "{{pod}}",
        }),
      ],
    },
    {
      title: "Connections and certificates",
      panels: [
        graph("Connections", "Open TLS connections by port.", "short", {
          expr: `sum by (port) (shieldx_webhook_connections{${chosen}})`,
          legend: "{{port}}",
        }),
        graph("Handshakes", "TLS handshakes per second by leaf (first digits of its fingerprint).", "ops", {
          expr: `sum by (port, leaf) (rate(shieldx_webhook_handshakes_total{${chosen}}[${rate}]))`,
          legend: "{{port}} {{leaf}}",
        }),
        graph("Refused connections", "Connections that ended before a request, per second.", "ops", {
          expr: `sum by (port, reason) (rate(shieldx_webhook_refused_connections_total{${chosen}}[${rate}]))`,
          legend: "{{port}} {{reason}}",
        }),
        graph("Life left", "Time until the leaf in use ends; renewed with ten days left.", "s", {
          expr: `min by (leaf) (shieldx_webhook_certificate_not_after_seconds{${chosen}}) - time()`,
          legend: "{{leaf}}",
        }),
        graph("Reloads", "Certificates taken from the Secret, or found unusable there.", "short", {
          expr: `sum by (result) (increase(shieldx_webhook_certificate_reloads_total{${chosen}}[1h]))`,
          legend: "{{result}}",
        }),
        graph("Rebuilds", "New policy sets per second.", "ops", {
          expr: `sum by (pod) (rate(shieldx_policy_set_rebuilds_total{${chosen}}[${rate}]))`,
          legend: "{{pod}}",
        }),
      ],
    },
  ],
};
