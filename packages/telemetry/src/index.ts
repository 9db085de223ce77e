export { registerBuildInfo } from "./build-info.ts";
export { createLogger, isLogLevel, type LoggerOptions, logLevels } from "./logger.ts";
export { redactFields, redactText } from "./redact.ts";
export { readTracingSettings, type TracingSettings } from "./tracing/settings.ts";
export { countSpans, startTracing, type Tracing, type TracingOptions } from "./tracing/start.ts";
