// Alerts, their cases, their pages and their dashboards belong together: whichever is missing is named here.
import { execFileSync } from "node:child_process";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { hasPrometheus } from "./prometheus.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const rulesFile = join(root, "charts/shieldx/files/monitoring/alerts.yaml");
const casesFile = join(import.meta.dirname, "alerts.promtool.yaml");
const runbooks = join(root, "docs/runbooks");

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}
const { groups } = parse(readFileSync(rulesFile, "utf8")) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);
const names = alerts.map(({ alert }) => alert).sort();
const pages = readdirSync(runbooks)
  .filter((name) => name.endsWith(".md") && name !== "README.md")
  .map((name) => basename(name, ".md"))
  .sort();

describe("alerts", () => {
  it.runIf(hasPrometheus)("fire and stay silent as their cases say (promtool test rules)", () => {
    const out = execFileSync("promtool", ["test", "rules", casesFile], { encoding: "utf8" });
    expect(out).toContain("SUCCESS");
    expect(execFileSync("promtool", ["check", "rules", rulesFile], { encoding: "utf8" })).toContain(
      "SUCCESS",
    );
  });

  it("each have a case that fires and one that stays silent", () => {
    const { tests } = parse(readFileSync(casesFile, "utf8")) as {
      tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[];
    };
    const cases = tests.flatMap(({ promql_expr_test }) => promql_expr_test);
    const named = (fires: boolean) => {
      const found = cases
        .filter(({ exp_samples }) => exp_samples.length > 0 === fires)
        .map(({ expr }) => /alertname="(\w+)"/.exec(expr)?.[1]);
      return [...new Set(found)].sort();
    };
    expect(named(true)).toEqual(names);
    expect(named(false)).toEqual(names);
  });

  it("each have a runbook page, and each page an alert", () => {
    expect(pages).toEqual(names);
    const list = readFileSync(join(runbooks, "README.md"), "utf8");
    for (const name of names) expect(list).toContain(`(${name}.md)`);
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    "%s says what, how bad and where to read on",
    (name, alert) => {
      expect(["critical", "warning"]).toContain(alert.labels.severity);
      expect(alert.annotations.summary).toMatch(/\.$/);
      expect(alert.annotations.description).toMatch(/\.$/);
      expect(alert.annotations.runbook_url).toBe(`https://shieldx.io/docs/runbooks/${name}.md`);
      const page = readFileSync(join(runbooks, `${name}.md`), "utf8");
      for (const heading of ["What it means", "Why it matters at 3 a.m.", "How to look", "How to fix"])
        expect(page).toContain(`## ${heading}\n`);
      expect(page).toContain(`Severity: ${alert.labels.severity}\n`);
      expect(page).toContain("```sh\n");
    },
  );
});

describe("metrics that alerts and dashboards ask for", () => {
  const reference = readFileSync(join(root, "docs/reference/metrics.md"), "utf8");
  const known = new Set([...reference.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));
  const texts = [
    rulesFile,
    ...globSync("charts/shieldx/files/monitoring/dashboards/*.json", { cwd: root }).map((file) =>
      join(root, file),
    ),
  ];

  it.each(texts.map((file) => [basename(file), file] as const))("of %s exist", (_, file) => {
    const asked = readFileSync(file, "utf8").matchAll(
      /\b((?:shieldx|controller_runtime|workqueue|rest_client|leader_election)_\w+)/g,
    );
    const unknown = [...asked]
      .map(([, name = ""]) => name.replace(/_(bucket|count|sum)$/, ""))
      .filter((name) => !known.has(name) && !known.has(`${name}_count`));
    expect(new Set(unknown)).toEqual(new Set());
  });
});
