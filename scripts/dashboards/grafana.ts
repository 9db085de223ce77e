// A small vocabulary for Grafana dashboards: panels with a title, a description, a unit and queries, laid out in rows.

export type Unit = "short" | "s" | "bytes" | "percentunit" | "reqps" | "ops" | "dateTimeFromNow" | "none";

export interface Query {
  readonly expr: string;
  readonly legend?: string;
}

export interface Panel {
  readonly kind: "stat" | "timeseries" | "table" | "heatmap";
  readonly title: string;
  readonly about: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of 24. */
  readonly width: number;
  readonly stacked?: boolean;
  /** Values from which a stat is yellow and red. */
  readonly bad?: { readonly warn: number; readonly alarm: number };
  /** Below which it is. */
  readonly good?: number;
  readonly decimals?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** Job that the variables offer: a regular expression. */
  readonly job: string;
  readonly rows: readonly Row[];
}

/** Selects what the variables say; every query has it. */
export const chosen = 'namespace=~"$namespace", job=~"$job", pod=~"$pod"';
export const rate = "$__rate_interval";

const datasource = { type: "prometheus", uid: "$datasource" } as const;
const height: Readonly<Record<Panel["kind"], number>> = { stat: 4, timeseries: 8, table: 8, heatmap: 8 };

/** The dashboard as Grafana imports it. */
export function render(dashboard: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  let id = 1;
  for (const row of dashboard.rows) {
    panels.push({
      id: id++,
      type: "row",
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: 24, x: 0, y },
    });
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const panel of row.panels) {
      if (x + panel.width > 24) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      const h = height[panel.kind];
      panels.push({ id: id++, ...renderPanel(panel), gridPos: { h, w: panel.width, x, y } });
      x += panel.width;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    description: dashboard.about,
    tags: ["shieldx"],
    editable: true,
    graphTooltip: 1,
    schemaVersion: 39,
    timezone: "browser",
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    links: [
      {
        type: "dashboards",
        title: "ShieldX",
        tags: ["shieldx"],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: [] },
    templating: { list: variables(dashboard) },
    panels,
  };
}

function variables({ job }: Dashboard): object[] {
  const query = (name: string, label: string, selector: string, isMulti: boolean): object => ({
    type: "query",
    name,
    label,
    datasource,
    query: { query: `label_values(shieldx_build_info{${selector}}, ${name})`, refId: name },
    refresh: 2,
    sort: 1,
    multi: isMulti,
    includeAll: isMulti,
    ...(isMulti
      ? { allValue: ".*", current: { text: "All", value: "$__all" } }
      : { current: { text: "shieldx-system", value: "shieldx-system" } }),
  });
  const ours = `job=~"${job}"`;
  return [
    {
      type: "datasource",
      name: "datasource",
      label: "Data source",
      query: "prometheus",
      current: {},
      refresh: 1,
    },
    query("namespace", "Namespace", ours, false),
    query("job", "Job", `${ours}, namespace=~"$namespace"`, true),
    query("pod", "Pod", `${ours}, namespace=~"$namespace", job=~"$job"`, true),
  ];
}

function renderPanel(panel: Panel): object {
  const { kind, title, about, queries } = panel;
  const isTable = kind === "table";
  return {
    type: kind,
    title,
    description: about,
    datasource,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat: legend ?? "__auto",
      ...(isTable ? { format: "table", instant: true } : {}),
      ...(kind === "heatmap" ? { format: "heatmap" } : {}),
      ...(kind === "stat" ? { instant: true } : {}),
    })),
    fieldConfig: { defaults: defaults(panel), overrides: [] },
    options: options(panel),
    ...(isTable
      ? {
          transformations: [
            {
              id: "organize",
              options: { excludeByName: { Time: true, __name__: true }, renameByName: { Value: title } },
            },
          ],
        }
      : {}),
  };
}

function defaults({ kind, unit, bad, good, stacked, decimals }: Panel): object {
  const steps =
    bad !== undefined
      ? [
          { color: "green", value: null },
          { color: "yellow", value: bad.warn },
          { color: "red", value: bad.alarm },
        ]
      : good !== undefined
        ? [
            { color: "red", value: null },
            { color: "green", value: good },
          ]
        : [{ color: "blue", value: null }];
  return {
    unit,
    ...(decimals === undefined ? {} : { decimals }),
    ...(kind === "stat" ? { thresholds: { mode: "absolute", steps } } : { min: 0 }),
    ...(kind === "timeseries"
      ? {
          custom: {
            lineWidth: 1,
            fillOpacity: stacked === true ? 30 : 8,
            showPoints: "never",
            spanNulls: false,
            stacking: { mode: stacked === true ? "normal" : "none", group: "A" },
          },
        }
      : {}),
  };
}

function options({ kind }: Panel): object {
  switch (kind) {
    case "stat":
      return {
        reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
        colorMode: "value",
        graphMode: "none",
        textMode: "auto",
      };
    case "timeseries":
      return {
        legend: {
          displayMode: "table",
          placement: "bottom",
          showLegend: true,
          calcs: ["lastNotNull", "max"],
        },
        tooltip: { mode: "multi", sort: "desc" },
      };
    case "heatmap":
      return { calculate: false, yAxis: { unit: "s" }, tooltip: { mode: "single", showColorScale: true } };
    case "table":
      return { showHeader: true, cellHeight: "sm", footer: { show: false } };
    default:
      return kind satisfies never;
  }
}

const panel =
  (kind: Panel["kind"], width: number) =>
  (
    title: string,
    about: string,
    unit: Unit,
    queries: Query | readonly Query[],
    more: Partial<Panel> = {},
  ): Panel => ({
    kind,
    width,
    title,
    about,
    unit,
    queries: Array.isArray(queries) ? queries : [queries as Query],
    ...more,
  });

export const stat = panel("stat", 4);
export const graph = panel("timeseries", 8);
export const table = panel("table", 12);
export const heatmap = panel("heatmap", 12);

/** The quantile of a histogram, by `by`. */
export function quantile(q: number, metric: string, by: string): string {
  const labels = by === "" ? "le" : `le, ${by}`;
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${metric}_bucket{${chosen}}[${rate}])))`;
}
