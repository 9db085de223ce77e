import { chosen, type Dashboard, graph, quantile, rate, stat, table } from "./grafana.ts";

export const runtime: Dashboard = {
  uid: "shieldx-runtime",
  title: "ShieldX / Runtime",
  about: "Controllers, queues, caches and processes of the operator and the webhooks.",
  job: "shieldx-.*",
  rows: [
    {
      title: "At a glance",
      panels: [
        stat(
          "Processes up",
          "Operator and webhook replicas that Prometheus can scrape.",
          "short",
          { expr: `sum(up{${chosen}})` },
          { good: 1 },
        ),
        stat(
          "Leaders",
          "Exactly one operator leads; 0 means that nothing is reconciled.",
          "short",
          { expr: `sum(leader_election_master_status{${chosen}})` },
          { good: 1 },
        ),
        stat(
          "Reconcile errors",
          "Reconciles that ended in an error, per second.",
          "ops",
          { expr: `sum(rate(controller_runtime_reconcile_errors_total{${chosen}}[${rate}]))` },
          { bad: { warn: 0.01, alarm: 0.1 }, decimals: 2 },
        ),
        stat(
          "Keys waiting",
          "Keys ready for a worker, in all queues.",
          "short",
          { expr: `sum(workqueue_depth{${chosen}})` },
          { bad: { warn: 100, alarm: 1000 } },
        ),
        stat("Youngest process", "When the process that started last did so.", "dateTimeFromNow", {
          expr: `max(process_start_time_seconds{${chosen}}) * 1000`,
        }),
        stat("Memory", "Resident memory of all processes.", "bytes", {
          expr: `sum(process_resident_memory_bytes{${chosen}})`,
        }),
        table(
          "Versions",
          "Which version of which process runs.",
          "short",
          { expr: `sum by (component, version, node) (shieldx_build_info{${chosen}})` },
          { width: 24 },
        ),
      ],
    },
    {
      title: "Reconciles (operator)",
      panels: [
        graph(
          "Reconciles",
          "Ended reconciles per second by controller and result.",
          "ops",
          {
            expr: `sum by (controller, result) (rate(controller_runtime_reconcile_total{${chosen}}[${rate}]))`,
            legend: "{{controller}} {{result}}",
          },
          { stacked: true },
        ),
        graph("Errors", "Reconciles that failed, and those not tried again, per second.", "ops", [
          {
            expr: `sum by (controller) (rate(controller_runtime_reconcile_errors_total{${chosen}}[${rate}]))`,
            legend: "{{controller}}",
          },
          {
            expr: `sum by (controller) (rate(controller_runtime_terminal_reconcile_errors_total{${chosen}}[${rate}]))`,
            legend: "{{controller}} terminal",
          },
        ]),
        graph("Duration", "Time one reconcile takes, median and 99th percentile.", "s", [
          {
            expr: quantile(0.5, "controller_runtime_reconcile_time_seconds", "controller"),
            legend: "{{controller}} p50",
          },
          {
            expr: quantile(0.99, "controller_runtime_reconcile_time_seconds", "controller"),
            legend: "{{controller}} p99",
          },
        ]),
        graph("Workers", "Workers that reconcile now, and how many there may be.", "short", [
          {
            expr: `sum by (controller) (controller_runtime_active_workers{${chosen}})`,
            legend: "{{controller}}",
          },
          {
            expr: `max by (controller) (controller_runtime_max_concurrent_reconciles{${chosen}})`,
            legend: "{{controller}} at most",
          },
        ]),
        graph(
          "Panics and time-outs",
          "Reconcilers that threw something odd or ran out of time, per second.",
          "ops",
          [
            {
              expr: `sum by (controller) (rate(controller_runtime_reconcile_panics_total{${chosen}}[${rate}]))`,
              legend: "{{controller}} panics",
            },
            {
              expr: `sum by (controller) (rate(controller_runtime_reconcile_timeouts_total{${chosen}}[${rate}]))`,
              legend: "{{controller}} time-outs",
            },
          ],
        ),
        graph(
          "Leadership",
          "Which process holds the Lease.",
          "short",
          { expr: `leader_election_master_status{${chosen}}`, legend: "{{pod}}" },
          { stacked: true },
        ),
      ],
    },
    {
      title: "Work queues (operator)",
      panels: [
        graph("Depth", "Keys ready for a worker.", "short", {
          expr: `sum by (controller) (workqueue_depth{${chosen}})`,
          legend: "{{controller}}",
        }),
        graph("Wait", "How long a key was ready before a worker took it, 99th percentile.", "s", {
          expr: quantile(0.99, "workqueue_queue_duration_seconds", "controller"),
          legend: "{{controller}}",
        }),
        graph("Work", "How long a worker held a key, 99th percentile.", "s", {
          expr: quantile(0.99, "workqueue_work_duration_seconds", "controller"),
          legend: "{{controller}}",
        }),
        graph(
          "Adds and retries",
          "Keys that became wanted, and keys put back after a failure, per second.",
          "ops",
          [
            {
              expr: `sum by (controller) (rate(workqueue_adds_total{${chosen}}[${rate}]))`,
              legend: "{{controller}} adds",
            },
            {
              expr: `sum by (controller) (rate(workqueue_retries_total{${chosen}}[${rate}]))`,
              legend: "{{controller}} retries",
            },
          ],
        ),
        graph("Longest running", "Age of the oldest reconcile under way.", "s", {
          expr: `max by (controller) (workqueue_longest_running_processor_seconds{${chosen}})`,
          legend: "{{controller}}",
        }),
        graph("Unfinished work", "Age of all reconciles under way, added up.", "s", {
          expr: `sum by (controller) (workqueue_unfinished_work_seconds{${chosen}})`,
          legend: "{{controller}}",
        }),
      ],
    },
    {
      title: "API server",
      panels: [
        graph(
          "Requests",
          "Requests to the API server per second by status. Handshake probes are refused by design (403).",
          "reqps",
          {
            expr: `sum by (job, code) (rate(rest_client_requests_total{${chosen}}[${rate}]))`,
            legend: "{{job}} {{code}}",
          },
          { stacked: true },
        ),
        graph(
          "Latency",
          "Time until the answer's headers, 99th percentile by verb. A watch answers at once.",
          "s",
          {
            expr: quantile(0.99, "rest_client_request_duration_seconds", "job, verb"),
            legend: "{{job}} {{verb}}",
          },
        ),
        graph(
          "Requests by method",
          "Requests to the API server per second by method: at rest, Lease renewals only.",
          "reqps",
          {
            expr: `sum by (job, method) (rate(rest_client_requests_total{${chosen}}[${rate}]))`,
            legend: "{{job}} {{method}}",
          },
        ),
      ],
    },
    {
      title: "Caches",
      panels: [
        graph("Objects", "Objects in the caches of one process, by resource.", "short", {
          expr: `max by (job, resource) (shieldx_runtime_informer_objects{${chosen}})`,
          legend: "{{job}} {{resource}}",
        }),
        graph(
          "Watches opened",
          "Each watch lasts 5 to 10 minutes; more often means that they break.",
          "ops",
          {
            expr: `sum by (job, resource) (rate(shieldx_runtime_informer_watches_total{${chosen}}[${rate}]))`,
            legend: "{{job}} {{resource}}",
          },
        ),
        graph("Failures", "Lists and watches that failed and are tried again, per second.", "ops", {
          expr: `sum by (job, resource, verb) (rate(shieldx_runtime_informer_failures_total{${chosen}}[${rate}]))`,
          legend: "{{job}} {{verb}} {{resource}}",
        }),
      ],
    },
    {
      title: "Processes",
      panels: [
        graph("CPU", "Cores used.", "short", {
          expr: `rate(process_cpu_seconds_total{${chosen}}[${rate}])`,
          legend: "{{pod}}",
        }),
        graph("Memory", "Resident memory, and the used part of the JavaScript heap.", "bytes", [
          { expr: `process_resident_memory_bytes{${chosen}}`, legend: "{{pod}} resident" },
          { expr: `nodejs_heap_size_used_bytes{${chosen}}`, legend: "{{pod}} heap" },
        ]),
        graph("Event loop delay", "How late timers fire, 99th percentile; answers wait for as long.", "s", {
          expr: `nodejs_eventloop_lag_p99_seconds{${chosen}}`,
          legend: "{{pod}}",
        }),
        graph("Garbage collection", "Share of time spent on it, by kind.", "percentunit", {
          expr: `sum by (pod, kind) (rate(nodejs_gc_duration_seconds_sum{${chosen}}[${rate}]))`,
          legend: "{{pod}} {{kind}}",
        }),
        graph("Open files", "File descriptors in use, sockets included.", "short", {
          expr: `process_open_fds{${chosen}}`,
          legend: "{{pod}}",
        }),
        graph("Trace spans", "Where traces are on: spans exported, dropped and lost, per second.", "ops", {
          expr: `sum by (job, result) (rate(shieldx_traces_spans_total{${chosen}}[${rate}]))`,
          legend: "{{job}} {{result}}",
        }),
      ],
    },
  ],
};
