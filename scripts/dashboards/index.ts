import { admission } from "./admission.ts";
import { render } from "./grafana.ts";
import { policies } from "./policies.ts";
import { runtime } from "./runtime.ts";

/** The Grafana dashboards that the chart ships, by path. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  const all = { runtime, admission, policies };
  return new Map(
    Object.entries(all).map(([name, dashboard]) => [
      `charts/shieldx/files/monitoring/dashboards/${name}.json`,
      `${JSON.stringify(render(dashboard), null, 2)}\n`,
    ]),
  );
}
