/** What the standard environment variables of OpenTelemetry ask for. */
export interface TracingSettings {
  readonly protocol: "http/protobuf" | "http/json";
  readonly sampler: SamplerName;
  /** Share of traces that are kept, of the samplers by ratio. */
  readonly ratio: number;
  readonly resource: Readonly<Record<string, string>>;
  readonly queue: {
    readonly most: number;
    readonly batch: number;
    readonly delayMs: number;
    readonly timeoutMs: number;
  };
}

const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof samplers)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads them (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Tracing is on where an
 * OTLP endpoint or `OTEL_TRACES_EXPORTER=otlp` is set. Endpoint, headers, compression, timeout and certificates are read
 * by the exporter itself.
 * @returns undefined when nothing is to be traced, and what could not be honoured, each in one line
 */
export function readTracingSettings(env: Environment): {
  readonly settings: TracingSettings | undefined;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  if (!isWanted(env, problems)) return { settings: undefined, problems };
  const protocol =
    set(env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL) ?? set(env.OTEL_EXPORTER_OTLP_PROTOCOL) ?? "http/protobuf";
  if (protocol !== "http/protobuf" && protocol !== "http/json") {
    problems.push(
      `OTEL_EXPORTER_OTLP_PROTOCOL ${JSON.stringify(protocol.slice(0, 40))} is not supported, nothing is traced: use http/protobuf or http/json (port 4318 of most collectors)`,
    );
    return { settings: undefined, problems };
  }
  const most = number(env, "OTEL_BSP_MAX_QUEUE_SIZE", { fallback: 2_048, least: 1 }, problems);
  const settings: TracingSettings = {
    protocol,
    ...readSampler(env, problems),
    resource: {
      ...readResource(set(env.OTEL_RESOURCE_ATTRIBUTES), problems),
      ...(set(env.OTEL_SERVICE_NAME) === undefined ? {} : { "service.name": env.OTEL_SERVICE_NAME ?? "" }),
    },
    queue: {
      most,
      batch: Math.min(
        most,
        number(env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", { fallback: 512, least: 1 }, problems),
      ),
      delayMs: number(env, "OTEL_BSP_SCHEDULE_DELAY", { fallback: 5_000, least: 0 }, problems),
      timeoutMs: number(env, "OTEL_BSP_EXPORT_TIMEOUT", { fallback: 30_000, least: 1 }, problems),
    },
  };
  return { settings, problems };
}

/** An empty variable is an unset one. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}

function isWanted(env: Environment, problems: string[]): boolean {
  if (set(env.OTEL_SDK_DISABLED)?.toLowerCase() === "true") return false;
  const exporters = set(env.OTEL_TRACES_EXPORTER)
    ?.split(",")
    .map((name) => name.trim());
  if (exporters === undefined) {
    return (
      set(env.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined ||
      set(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) !== undefined
    );
  }
  for (const name of exporters) {
    if (name !== "otlp" && name !== "none")
      problems.push(
        `OTEL_TRACES_EXPORTER ${JSON.stringify(name.slice(0, 40))} is not supported: use otlp or none`,
      );
  }
  return exporters.includes("otlp");
}

function readSampler(env: Environment, problems: string[]): { sampler: SamplerName; ratio: number } {
  const name = set(env.OTEL_TRACES_SAMPLER) ?? "parentbased_always_on";
  const sampler = samplers.find((known) => known === name);
  if (sampler === undefined) {
    problems.push(
      `OTEL_TRACES_SAMPLER ${JSON.stringify(name.slice(0, 40))} is not supported, every trace is kept: use one of ${samplers.join(", ")}`,
    );
  }
  const text = set(env.OTEL_TRACES_SAMPLER_ARG);
  const ratio = text === undefined ? 1 : Number(text);
  const isRatio = ratio >= 0 && ratio <= 1;
  if (!isRatio)
    problems.push(
      `OTEL_TRACES_SAMPLER_ARG ${JSON.stringify(text?.slice(0, 40))}: must be from 0 to 1; 1 it is`,
    );
  return { sampler: sampler ?? "parentbased_always_on", ratio: isRatio ? ratio : 1 };
}

function readResource(text: string | undefined, problems: string[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of text?.split(",") ?? []) {
    const [name = "", ...rest] = pair.split("=");
    try {
      if (name.trim() === "" || rest.length === 0) throw new URIError("no name or no =");
      attributes[name.trim()] = decodeURIComponent(rest.join("=").trim());
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
      problems.push(
        `OTEL_RESOURCE_ATTRIBUTES: ${JSON.stringify(pair.slice(0, 80))} is left out: write name=value`,
      );
    }
  }
  return attributes;
}

function number(
  env: Environment,
  name: string,
  { fallback, least }: { fallback: number; least: number },
  problems: string[],
): number {
  const text = set(env[name]);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= 10_000_000) return value;
  problems.push(
    `${name} ${JSON.stringify(text.slice(0, 40))}: must be a whole number of at least ${least}; ${fallback} it is`,
  );
  return fallback;
}
