import type { Logger, Tracer } from "@shieldx/controller-runtime";
import { Counter, type Registry } from "prom-client";
import { readTracingSettings } from "./settings.ts";
import type { SpanFate } from "./span-queue.ts";

export interface TracingOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `service.name`, unless the environment says otherwise. */
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** `service.instance.id`: which of the replicas. */
  readonly instance: string;
  readonly registry: Registry;
}

export interface Tracing {
  /** undefined: nothing is traced, and nothing of OpenTelemetry was loaded. */
  readonly tracer: Tracer | undefined;
  /** For the logger: the trace a line belongs to. */
  readonly active: (() => { traceId: string; spanId: string } | undefined) | undefined;
  /** Says in the log what of the environment could not be honoured, and from now on when spans do not arrive. */
  tellTo(logger: Logger): void;
  /** Sends what is left, for at most a few seconds. */
  close(): Promise<void>;
}

const closeMs = 5_000;
const fates: readonly SpanFate[] = ["exported", "dropped", "failed"];

/** `shieldx_traces_spans_total`, registered where traces are on. */
export function countSpans(registry: Registry): (result: SpanFate, spans: number) => void {
  const counter = new Counter({
    name: "shieldx_traces_spans_total",
    help: "Where traces are on: ended spans by what became of them: exported, dropped (the queue was full), failed (lost on the way)",
    labelNames: ["result"] as const,
    registers: [registry],
  });
  for (const result of fates) counter.inc({ result }, 0);
  return (result, spans) => counter.inc({ result }, spans);
}

/** Starts tracing if the environment asks for it. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { settings, problems } = readTracingSettings(options.env);
  const tellProblems = (logger: Logger): void => {
    for (const problem of problems) logger.warn({}, problem);
  };
  if (settings === undefined) {
    return { tracer: undefined, active: undefined, tellTo: tellProblems, close: () => Promise.resolve() };
  }
  const count = countSpans(options.registry);
  let logger: Logger | undefined;
  let isInTrouble = false;
  const { createOtlpTracer } = await import("./otlp.ts");
  const tracer = await createOtlpTracer({
    ...options,
    settings,
    count,
    // Told when it begins and when it is over: a collector that is away for a night is two lines.
    onTrouble: (error) => {
      if (error !== undefined && !isInTrouble)
        logger?.warn({ err: error }, "traces do not reach the collector; they are dropped and counted");
      if (error === undefined && isInTrouble) logger?.info({}, "traces reach the collector again");
      isInTrouble = error !== undefined;
    },
  });
  return {
    tracer,
    active: () => tracer.active(),
    tellTo: (to) => {
      logger = to;
      tellProblems(to);
    },
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const late = setTimeout(resolve, closeMs);
      await Promise.race([tracer.close().catch(() => undefined), promise]);
      clearTimeout(late);
    },
  };
}
