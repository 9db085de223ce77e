/**
 * Metrics that move several times in every reconcile. prom-client's own look their labels up at each step, which costs more
 * than the rest of an empty reconcile; here a step is an addition, and labels are dealt with when somebody scrapes.
 */
import type { CounterConfiguration, Metric, Registry } from "prom-client";
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";

type Labels<L extends string> = Readonly<Record<L, string>>;

export interface HotNumber<L extends string> {
  /** What moves the series of these labels, which exists from now on, as 0. */
  labels(labels: Labels<L>): { inc(change?: number): void };
  /** Forgets the series of these labels. Whoever still moves it moves nothing that is seen. */
  remove(labels: Labels<L>): void;
}

type Description<L extends string> = Pick<CounterConfiguration<L>, "name" | "help"> & {
  readonly labelNames: readonly L[];
  readonly registry: Registry;
};

export function hotCounter<L extends string>({ registry, ...description }: Description<L>): HotNumber<L> {
  const cells = new Cells(description.labelNames);
  new Counter({
    ...description,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, value } of cells.all()) this.inc(labels, value);
    },
  });
  return cells;
}

export function hotGauge<L extends string>({ registry, ...description }: Description<L>): HotNumber<L> {
  const cells = new Cells(description.labelNames);
  new Gauge({
    ...description,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, value } of cells.all()) this.set(labels, value);
    },
  });
  return cells;
}

class Cell<L extends string> {
  readonly labels: Labels<L>;
  value = 0;

  constructor(labels: Labels<L>) {
    this.labels = labels;
  }

  inc(change = 1): void {
    this.value += change;
  }
}

class Cells<L extends string> implements HotNumber<L> {
  readonly #names: readonly L[];
  readonly #cells = new Map<string, Cell<L>>();

  constructor(names: readonly L[]) {
    this.#names = names;
  }

  all(): Iterable<Cell<L>> {
    return this.#cells.values();
  }

  labels(labels: Labels<L>): Cell<L> {
    const key = keyOf(this.#names, labels);
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = new Cell({ ...labels });
      this.#cells.set(key, cell);
    }
    return cell;
  }

  remove(labels: Labels<L>): void {
    this.#cells.delete(keyOf(this.#names, labels));
  }
}

/** One label, as most have, is its own key. */
function keyOf<L extends string>(names: readonly L[], labels: Labels<L>): string {
  const [first, ...more] = names;
  let key = first === undefined ? "" : labels[first];
  for (const name of more) key += `\n${labels[name]}`;
  return key;
}

class Series<L extends string> {
  readonly labels: Labels<L>;
  /** Observations by the first bucket they fit in; the last holds those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(labels: Labels<L>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
  }
}

/** A histogram in the form prom-client's registry prints. */
export class HotHistogram<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
  readonly type = "histogram";
  readonly aggregator = "sum";
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series<L>>();

  /** @param description `buckets` are upper bounds, rising */
  constructor(description: Description<L> & { readonly buckets: readonly number[] }) {
    this.name = description.name;
    this.help = description.help;
    this.labelNames = description.labelNames;
    this.#bounds = description.buckets;
    description.registry.registerMetric(this as unknown as Metric<L>);
  }

  labels(labels: Labels<L>): { observe(value: number): void } {
    const key = keyOf(this.labelNames, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Series({ ...labels }, this.#bounds);
      this.#series.set(key, series);
    }
    return series;
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    const values = [...this.#series.values()].filter(hasAny).flatMap((series) => this.#lines(series));
    return { name, help, type, aggregator, values };
  }

  reset(): void {
    for (const series of this.#series.values()) {
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
