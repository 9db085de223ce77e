import type { Logger } from "@shieldx/controller-runtime";
import { type DestinationStream, pino } from "pino";
import { redactFields, redactText } from "./redact.ts";

export interface LoggerOptions {
  /** Which process: `operator`, `webhooks` or `uninstall`. In every line. */
  readonly component: string;
  /** One of {@link logLevels}. */
  readonly level: string;
  /** The trace that a line belongs to, asked for each; absent where nothing is traced. */
  readonly trace?: (() => { readonly traceId: string; readonly spanId: string } | undefined) | undefined;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** From the most to the least. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export function isLogLevel(text: string): text is (typeof logLevels)[number] {
  return logLevels.some((known) => known === text);
}

/**
 * Lines of JSON in the schema of `log-schema.ts`. Secrets are never logged on purpose; what errors and fields may carry
 * along is redacted here, by name and by how it looks.
 */
export function createLogger({ component, level, trace, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { component },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: redactFields,
    },
    serializers: { err: errorFields },
    hooks: { streamWrite: redactText },
    ...(trace === undefined ? {} : { mixin: () => trace() ?? {} }),
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const mostCauses = 5;

/** What a line says of an error: these fields only, for an error may carry requests, headers and keys. */
function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  return {
    type: name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(typeof code === "string" || typeof code === "number" ? { code: String(code) } : {}),
    ...(cause === undefined || depth >= mostCauses ? {} : { cause: errorFields(cause, depth + 1) }),
  };
}
