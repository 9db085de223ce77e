/**
 * Metrics that move several times in every reconcile. prom-client's own look their labels up at each step, which costs more
 * than the rest of an empty reconcile; here a step is an addition, and labels are dealt with when somebody scrapes.
 */
import type { CounterConfiguration, Metric, Registry } from "prom-client";
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";

type Labels<L extends string> = Readonly<Record<L, string>>;

interface Cell<L extends string> {
  readonly labels: Labels<L>;
  value: number;
}

export interface HotNumber<L extends string> {
  /** What moves the series of these labels, which exists from now on, as 0. */
  labels(labels: Labels<L>): { inc(change?: number): void };
}

type Description<L extends string> = Pick<CounterConfiguration<L>, "name" | "help" | "labelNames"> & {
  readonly registry: Registry;
};

export function hotCounter<L extends string>({ registry, ...description }: Description<L>): HotNumber<L> {
  const cells = new Cells<L>();
  new Counter({
    ...description,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, value } of cells.all) this.inc(labels, value);
    },
  });
  return cells;
}

export function hotGauge<L extends string>({ registry, ...description }: Description<L>): HotNumber<L> {
  const cells = new Cells<L>();
  new Gauge({
    ...description,
    registers: [registry],
    collect() {
      for (const { labels, value } of cells.all) this.set(labels, value);
    },
  });
  return cells;
}

class Cells<L extends string> implements HotNumber<L> {
  readonly all: Cell<L>[] = [];

  labels(labels: Labels<L>): { inc(change?: number): void } {
    let cell = this.all.find((candidate) => isSame(candidate.labels, labels));
    if (cell === undefined) {
      cell = { labels, value: 0 };
      this.all.push(cell);
    }
    const own = cell;
    return {
      inc: (change = 1) => {
        own.value += change;
      },
    };
  }
}

interface Series<L extends string> {
  readonly labels: Labels<L>;
  /** Observations by the first bucket they fit in; the last holds those above all bounds. */
  readonly counts: Float64Array;
  sum: number;
}

/** A histogram in the form prom-client's registry prints. */
export class HotHistogram<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
  readonly type = "histogram";
  readonly aggregator = "sum";
  readonly #bounds: readonly number[];
  readonly #series: Series<L>[] = [];

  /** @param description `buckets` are upper bounds, rising */
  constructor(description: Description<L> & { readonly buckets: readonly number[] }) {
    this.name = description.name;
    this.help = description.help;
    this.labelNames = description.labelNames ?? [];
    this.#bounds = description.buckets;
    description.registry.registerMetric(this as unknown as Metric<L>);
  }

  labels(labels: Labels<L>): { observe(value: number): void } {
    const bounds = this.#bounds;
    let found = this.#series.find((candidate) => isSame(candidate.labels, labels));
    if (found === undefined) {
      found = { labels, counts: new Float64Array(bounds.length + 1), sum: 0 };
      this.#series.push(found);
    }
    const series = found;
    return {
      observe: (value) => {
        let at = 0;
        while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
        series.counts[at] = (series.counts[at] ?? 0) + 1;
        series.sum += value;
      },
    };
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    const values = this.#series.filter(hasAny).flatMap((series) => this.#lines(series));
    return { name, help, type, aggregator, values };
  }

  reset(): void {
    for (const series of this.#series) {
      series.counts.fill(0);
      series.sum = 0;
    }
  }

  #lines({ labels, counts, sum }: Series<L>): object[] {
    let total = 0;
    const lines: object[] = [];
    for (const [at, count] of counts.entries()) {
      total += count;
      const le = this.#bounds[at] ?? "+Inf";
      lines.push({ labels: { le, ...labels }, value: total, metricName: `${this.name}_bucket` });
    }
    lines.push({ labels, value: sum, metricName: `${this.name}_sum` });
    lines.push({ labels, value: total, metricName: `${this.name}_count` });
    return lines;
  }
}

function hasAny<L extends string>(series: Series<L>): boolean {
  return series.counts.some((count) => count > 0);
}

function isSame<L extends string>(a: Labels<L>, b: Labels<L>): boolean {
  const names = Object.keys(a) as L[];
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
