import type { Logger } from "../kubernetes/logger.ts";

type Level = "debug" | "info" | "warn" | "error";
const severity: Readonly<Record<Level, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/**
 * One JSON object a line, for examples and small tools. A real process gives its own logger (a pino logger fits
 * as it is).
 */
export function createJsonLogger(
  output: { write(line: string): unknown } = process.stdout,
  lowest: Level = "info",
): Logger {
  const log = (level: Level) => (fields: object, message: string) => {
    if (severity[level] < severity[lowest]) return;
    const entry = { level, time: new Date().toISOString(), msg: message, ...fields };
    output.write(
      `${JSON.stringify(entry, (_key, value: unknown) => (value instanceof Error ? describe(value) : value))}\n`,
    );
  };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function describe(error: Error): object {
  const { name, message, stack, cause } = error;
  return { type: name, message, stack, ...(cause === undefined ? {} : { cause }) };
}
