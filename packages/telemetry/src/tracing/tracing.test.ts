import type { Logger } from "@shieldx/controller-runtime";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type OtlpReceiver, startOtlpReceiver } from "../otlp-receiver.test-kit.ts";
import { readTracingSettings } from "./settings.ts";
import { startTracing, type Tracing } from "./start.ts";

let receiver: OtlpReceiver | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver?.[Symbol.asyncDispose]();
  receiver = undefined;
});

const lines: string[] = [];
const say = (_: object, message: string) => void lines.push(message);
const logger: Logger = { debug: say, info: say, warn: say, error: say };

async function start(env: Record<string, string>): Promise<{ tracing: Tracing; registry: Registry }> {
  lines.length = 0;
  receiver ??= await startOtlpReceiver();
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "1", ...env };
  // The exporter reads its own part of the environment.
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  const registry = new Registry();
  const tracing = await startTracing({
    env: all,
    serviceName: "test",
    serviceVersion: "1",
    instance: "i",
    registry,
  });
  tracing.tellTo(logger);
  return { tracing, registry };
}

async function fates(registry: Registry): Promise<Record<string, number>> {
  const metric = await registry.getSingleMetric("shieldx_traces_spans_total")!.get();
  return Object.fromEntries(metric.values.map(({ labels, value }) => [String(labels.result), value]));
}

describe.each(["http/protobuf", "http/json"])("traces by %s", (protocol) => {
  it("arrive with parents, attributes, failures and the caller's trace", async () => {
    const { tracing, registry } = await start({
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_SERVICE_NAME: "named",
    });
    const tracer = tracing.tracer!;
    const parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    let inside: unknown;
    await tracer.trace(
      "outer",
      { attributes: { a: "x", b: 2, c: true, none: undefined }, parent },
      async (span) => {
        span.set("list", ["p", "q"]);
        inside = tracing.active!();
        expect(span.traceparent).toMatch(/^00-0123456789abcdef0123456789abcdef-[0-9a-f]{16}-01$/);
        await Promise.all([
          tracer.step("first", { n: 1 }, async () => undefined),
          tracer
            .step("second", {}, () => Promise.reject(new TypeError("token=hidden broke")))
            .catch(() => undefined),
        ]);
      },
    );
    await tracer.step("alone", {}, async (span) => expect(span).toBeUndefined());
    expect(tracing.active!()).toBeUndefined();
    await tracing.close();
    const { spans, contentTypes } = receiver!;
    expect([...contentTypes]).toEqual([
      protocol === "http/json" ? "application/json" : "application/x-protobuf",
    ]);
    const byName = Object.fromEntries(spans.map((span) => [span.name, span]));
    expect(Object.keys(byName).sort()).toEqual(["first", "outer", "second"]);
    const { outer, first, second } = byName;
    expect(outer).toMatchObject({
      traceId: "0123456789abcdef0123456789abcdef",
      parentSpanId: "0123456789abcdef",
      kind: 2,
      service: "named",
      statusCode: 0,
      attributes: { a: "x", b: 2, c: true, list: ["p", "q"] },
    });
    expect(outer!.attributes).not.toHaveProperty("none");
    expect(inside).toEqual({ traceId: outer!.traceId, spanId: outer!.spanId });
    for (const child of [first, second])
      expect(child).toMatchObject({ traceId: outer!.traceId, parentSpanId: outer!.spanId, kind: 3 });
    expect(second).toMatchObject({ statusCode: 2, attributes: { "error.type": "TypeError" } });
    for (const { startNano, endNano } of spans) expect(endNano).toBeGreaterThanOrEqual(startNano);
    expect(await fates(registry)).toEqual({ exported: 3, dropped: 0, failed: 0 });
  });
});

describe("tracing", () => {
  it.each([
    "",
    "nonsense",
    `00-${"0".repeat(32)}-0123456789abcdef-01`,
    `ff-${"1".repeat(32)}-0123456789abcdef-01`,
  ])("begins a trace of its own where the caller's is %j", async (parent) => {
    const { tracing } = await start({});
    await tracing.tracer!.trace("root", { parent }, async () => undefined);
    await tracing.close();
    expect(receiver!.spans).toMatchObject([{ name: "root", parentSpanId: undefined }]);
  });

  it("leaves out what the caller does not sample", async () => {
    const { tracing } = await start({});
    const parent = `00-${"1".repeat(32)}-0123456789abcdef-00`;
    await tracing.tracer!.trace("unsampled", { parent }, async (span) => {
      expect(span.traceparent).toMatch(/-00$/);
    });
    await tracing.close();
    expect(receiver!.spans).toEqual([]);
  });

  it("is not loaded unless it is asked for", async () => {
    const { tracing, registry } = await start({ OTEL_SDK_DISABLED: "true" });
    expect(tracing).toMatchObject({ tracer: undefined, active: undefined });
    expect(registry.getSingleMetric("shieldx_traces_spans_total")).toBeUndefined();
    await tracing.close();
  });

  it("holds a bounded number of spans while the collector is away, counts the rest, and says so once", async () => {
    const { tracing, registry } = await start({
      OTEL_BSP_MAX_QUEUE_SIZE: "10",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "5",
      OTEL_BSP_EXPORT_TIMEOUT: "50",
      OTEL_EXPORTER_OTLP_TIMEOUT: "100",
      // Nobody listens on the discard port.
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
    });
    for (let index = 0; index < 100; index++) await tracing.tracer!.trace("lost", {}, async () => undefined);
    await tracing.close();
    const { exported, dropped, failed } = (await fates(registry)) as Record<string, number>;
    expect(exported).toBe(0);
    expect(dropped! + failed!).toBe(100);
    expect(dropped).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes("do not reach"))).toHaveLength(1);
  });

  it("goes on where the collector refused for a while", async () => {
    const { tracing, registry } = await start({ OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "1" });
    receiver!.answerWith(400);
    await tracing.tracer!.trace("refused", {}, async () => undefined);
    await vi.waitFor(async () => expect(await fates(registry)).toMatchObject({ failed: 1 }));
    receiver!.answerWith(200);
    await tracing.tracer!.trace("taken", {}, async () => undefined);
    await tracing.close();
    expect(receiver!.spans).toMatchObject([{ name: "taken" }]);
    expect(lines).toEqual([expect.stringContaining("do not reach"), expect.stringContaining("again")]);
  });
});

describe("the settings", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

  it.each([
    [{}, false],
    [endpoint, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://collector:4318/v1/traces" }, true],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, false],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: "none" }, false],
    [{ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, false],
  ])("of %j mean that tracing is on: %s", (env, isOn) => {
    const { settings, problems } = readTracingSettings(env);
    expect(settings !== undefined).toBe(isOn);
    expect(problems).toEqual([]);
  });

  it("default to what the specification says", () => {
    expect(readTracingSettings(endpoint).settings).toEqual({
      protocol: "http/protobuf",
      sampler: "parentbased_always_on",
      ratio: 1,
      resource: {},
      queue: { most: 2048, batch: 512, delayMs: 5000, timeoutMs: 30000 },
    });
  });

  it("honour sampler, resource and queue", () => {
    const { settings, problems } = readTracingSettings({
      ...endpoint,
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_RESOURCE_ATTRIBUTES: "k8s.cluster.name=a%20b, team = x",
      OTEL_SERVICE_NAME: "mine",
      OTEL_BSP_MAX_QUEUE_SIZE: "100",
    });
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      sampler: "traceidratio",
      ratio: 0.25,
      resource: { "k8s.cluster.name": "a b", team: "x", "service.name": "mine" },
      queue: { most: 100, batch: 100 },
    });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "OTEL_EXPORTER_OTLP_PROTOCOL"],
    [{ OTEL_TRACES_EXPORTER: "zipkin" }, "OTEL_TRACES_EXPORTER"],
    [{ OTEL_TRACES_SAMPLER: "mine" }, "OTEL_TRACES_SAMPLER"],
    [{ OTEL_TRACES_SAMPLER_ARG: "2" }, "OTEL_TRACES_SAMPLER_ARG"],
    [{ OTEL_RESOURCE_ATTRIBUTES: "nothing" }, "OTEL_RESOURCE_ATTRIBUTES"],
    [{ OTEL_RESOURCE_ATTRIBUTES: "a=%" }, "OTEL_RESOURCE_ATTRIBUTES"],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: "-1" }, "OTEL_BSP_MAX_QUEUE_SIZE"],
  ])("say what of %j they cannot honour", (env, name) => {
    expect(readTracingSettings({ ...endpoint, ...env }).problems).toEqual([expect.stringContaining(name)]);
  });

  it.each([
    ["always_on", 1],
    ["always_off", 0],
    ["parentbased_always_off", 0],
    ["parentbased_traceidratio", 0],
    ["traceidratio", 0],
  ])("sample by %s", async (sampler, expected) => {
    const { tracing } = await start({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: "0" });
    await tracing.tracer!.trace("root", {}, async () => undefined);
    await tracing.close();
    expect(receiver!.spans).toHaveLength(expected);
  });
});
