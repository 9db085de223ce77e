import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as traceApi,
} from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Span, SpanAttributes, SpanValue, Tracer } from "@shieldx/controller-runtime";
import { redactText } from "../redact.ts";
import type { TracingSettings } from "./settings.ts";
import { type SpanFate, SpanQueue } from "./span-queue.ts";

const longestValue = 1_024;

export interface OtlpParts {
  readonly settings: TracingSettings;
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly instance: string;
  readonly count: (fate: SpanFate, spans: number) => void;
  readonly onTrouble: (error: Error | undefined) => void;
  readonly exporter?: SpanExporter;
}

/** The only module that loads OpenTelemetry's SDK; it is imported when tracing is asked for and not before. */
export async function createOtlpTracer(parts: OtlpParts): Promise<OtlpTracer> {
  const { settings } = parts;
  const exporter = parts.exporter ?? (await createExporter(settings.protocol));
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        "service.name": parts.serviceName,
        "service.version": parts.serviceVersion,
        "service.instance.id": parts.instance,
        ...settings.resource,
      }),
    ),
    sampler: samplerOf(settings),
    spanLimits: { attributeValueLengthLimit: longestValue, attributeCountLimit: 32, eventCountLimit: 8 },
    spanProcessors: [new SpanQueue(exporter, settings.queue, parts)],
  });
  return new OtlpTracer(provider);
}

async function createExporter(protocol: TracingSettings["protocol"]): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter();
}

function samplerOf({ sampler, ratio }: TracingSettings): Sampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
    default:
      return sampler satisfies never;
  }
}

/** The runtime's {@link Tracer} on OpenTelemetry. Whose child a span is follows asynchronous calls. */
export class OtlpTracer implements Tracer {
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;
  readonly #current = new AsyncLocalStorage<UnderWay>();

  constructor(provider: TracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer("shieldx");
  }

  /** Of the span under way, for log lines. */
  active(): { traceId: string; spanId: string } | undefined {
    const current = this.#current.getStore();
    return current === undefined || current.isOver ? undefined : current.ids;
  }

  trace<T>(
    name: string,
    about: { readonly attributes?: SpanAttributes; readonly parent?: string | undefined },
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const parent = contextOf(about.parent);
    const kind = about.parent === undefined ? SpanKind.INTERNAL : SpanKind.SERVER;
    return this.#run(name, kind, about.attributes ?? {}, parent, work);
  }

  step<T>(
    name: string,
    attributes: SpanAttributes,
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> {
    const current = this.#current.getStore();
    // What a reconcile started and did not wait for is not part of it any more.
    if (current === undefined || current.isOver) return work(undefined);
    return this.#run(name, SpanKind.CLIENT, attributes, current.context, work);
  }

  /** Sends what waits and ends. Never throws; what cannot be sent by then is lost. */
  async close(): Promise<void> {
    await this.#provider.shutdown();
  }

  async #run<T>(
    name: string,
    kind: SpanKind,
    attributes: SpanAttributes,
    parent: Context,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const span = new UnderWay(
      this.#tracer.startSpan(name, { kind, attributes: defined(attributes) }, parent),
    );
    try {
      return await this.#current.run(span, work, span);
    } catch (error) {
      span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  }
}

class UnderWay implements Span {
  readonly #span: OtelSpan;
  isOver = false;

  constructor(span: OtelSpan) {
    this.#span = span;
  }

  get ids(): { traceId: string; spanId: string } {
    const { traceId, spanId } = this.#span.spanContext();
    return { traceId, spanId };
  }

  get context(): Context {
    return traceApi.setSpan(ROOT_CONTEXT, this.#span);
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  }

  set(name: string, value: SpanValue): void {
    this.#span.setAttribute(name, typeof value === "object" ? [...value] : value);
  }

  fail(error: unknown): void {
    const message = redactText(error instanceof Error ? error.message : String(error)).slice(0, longestValue);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
    this.#span.setAttribute("error.type", String(code ?? name ?? typeof error).slice(0, 64));
  }

  end(): void {
    this.isOver = true;
    this.#span.end();
  }
}

function defined(attributes: SpanAttributes): Record<string, string | number | boolean | string[]> {
  const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string | number | boolean | string[]>;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header: what is malformed counts as absent. */
function contextOf(traceparent: string | undefined): Context {
  const match =
    /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(
      traceparent ?? "",
    );
  if (match === null) return ROOT_CONTEXT;
  const [, traceId = "", spanId = "", flags = "0"] = match;
  return traceApi.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
  });
}
