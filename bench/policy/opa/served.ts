/** Figures of decisions over HTTPS, beside those of OPA's server. */
import { compared } from "../../lib/line.ts";
import { median } from "../../lib/statistics.ts";
import type { Served } from "../answers.ts";
import type { Lines } from "../figures.ts";

export function servedLines(what: string, ours: readonly Served[], theirs: readonly Served[]): Lines {
  const of = (served: readonly Served[], key: keyof Served) => median(served.map((one) => one[key]));
  const figures = [
    { key: "perSecond", name: `decisions over HTTPS, ${what}`, unit: "/s", better: "more" },
    { key: "cpuMs", name: `CPU of a decision over HTTPS, ${what}`, unit: "ms", better: "less" },
    { key: "rssMiB", name: `RSS after decisions, ${what}`, unit: "MiB", better: "less" },
  ] as const;
  return figures.flatMap(({ key, ...figure }) =>
    compared({ ...figure, ours: of(ours, key), peers: { "opa run --server": of(theirs, key) } }),
  );
}
